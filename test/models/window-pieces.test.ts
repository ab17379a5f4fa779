import assert from 'node:assert/strict';
import { test } from 'node:test';
import { piecesOf, piecesShare } from '../../src/models/window-pieces.ts';

test('a piece has two frames, or one where there is little room, and short windows have several all the same', () => {
  const windows = [2, 8, 9, 16];
  assert.deepEqual(
    windows.map((frames) => piecesOf(frames, false)),
    [4, 4, 5, 8],
  );
  assert.deepEqual(
    windows.map((frames) => piecesOf(frames, true)),
    [8, 8, 9, 16],
  );
});

test('the share of a window that is alive is what was counted on the graph', () => {
  // Tensors of the first width, see scripts/results/memory.md.
  const counted = { 1: 20.9, 2: 13.0, 4: 8.3, 8: 6.4 };
  for (const [pieces, alive] of Object.entries(counted)) {
    assert.ok(Math.abs(piecesShare(Number(pieces)) - alive / 20.9) < 0.02, pieces);
  }
});
