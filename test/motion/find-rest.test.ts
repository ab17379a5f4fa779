import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureFace } from '../../src/motion/face-measures.ts';
import { faceIn, record } from '../helpers/recorded-face.ts';

test('rest is where lips are closed, lids open and brows at their usual height', () => {
  const { rest } = record(
    Array.from({ length: 100 }, (_, i) => ({
      lips: Math.max(0, Math.sin(i / 3)) * 0.8,
      // Blinks fall into closed lips: the frame with the most closed lips is no rest.
      lids: i % 25 < 4 ? 0.4 : 1,
      brows: i > 80 ? 0.5 : 0,
      pose: [0, i === 50 ? 30 : 4, 0, 0, 0, -40],
    })),
  );
  const measures = measureFace(rest.mesh!);
  const expected = measureFace(faceIn({}));
  assert.ok(Math.abs(measures.lips) < 0.02, `lips ${measures.lips}`);
  assert.ok(Math.abs(measures.lids[0] / expected.lids[0] - 1) < 0.02);
  assert.ok(Math.abs(measures.brows[1] - expected.brows[1]) < 0.02);
  assert.deepEqual([...rest.pose], [0, 4, 0, 0, 0, -40]);
});

test('a mouth that never closes rests where it is open least', () => {
  const { rest } = record(
    Array.from({ length: 50 }, (_, i) => ({ lips: 0.4 + 0.3 * Math.abs(Math.sin(i / 4)) })),
  );
  const { lips } = measureFace(rest.mesh!);
  assert.ok(lips > 0.39 && lips < 0.46, `${lips}`);
});
