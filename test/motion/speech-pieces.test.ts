import assert from 'node:assert/strict';
import test from 'node:test';
import { pieceShare, planSpeechPieces } from '../../src/motion/speech-pieces.ts';
import { fc } from '../helpers/fast-check.ts';
import { readGoldenFile } from '../helpers/golden-weights.ts';

interface Row {
  readonly frames: number;
  readonly samples: number;
  readonly error?: string;
  readonly total_frames?: number;
  readonly pieces?: readonly { readonly start: number; readonly frames: number }[];
}

test('pieces are the original’s where it works, and cover the clip where it fails', () => {
  const { rows } = (readGoldenFile('audio2pose') as unknown as { chunk_table: { rows: readonly Row[] } })
    .chunk_table;
  let same = 0;
  for (const { frames, error, total_frames: total, pieces } of rows) {
    const planned = planSpeechPieces(frames, { length: 150, overlap: 0 });
    assert.equal(
      planned.reduce((sum, piece) => sum + piece.frames, 0),
      frames,
    );
    if (error !== undefined || total !== frames) continue;
    same++;
    assert.deepEqual(
      planned.map((piece) => [piece.first, piece.frames]),
      pieces!.map((piece) => [Math.round((piece.start / 16000) * 30), piece.frames]),
    );
  }
  assert.ok(same >= 5);
});

test('of every frame, the shares of its pieces sum to 1, and change little from one frame to the next', () => {
  const cases = fc.record({
    frames: fc.integer({ min: 1, max: 900 }),
    overlap: fc.integer({ min: 0, max: 40 }),
  });
  fc.assert(
    fc.property(cases, ({ frames, overlap }) => {
      const pieces = planSpeechPieces(frames, { length: 60, overlap });
      let before: number[] | undefined;
      for (let frame = 0; frame < frames; frame++) {
        const shares = pieces.map((_, i) => pieceShare(pieces, i, frame));
        const sum = shares.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
        if (before !== undefined && overlap > 8) {
          assert.ok(shares.every((share, i) => Math.abs(share - before![i]!) < 2 / overlap));
        }
        before = shares;
      }
    }),
    { numRuns: 60 },
  );
});
