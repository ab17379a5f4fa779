import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShapeError } from '../../src/errors.ts';
import { landmarkDistance } from '../../src/metrics/landmark-distance.ts';

/** Landmarks on a line, the eyes' outer corners (33 and 263) at x = 66 and 526. */
const face = Float64Array.from({ length: 468 * 3 }, (_, i) => (i % 3 === 0 ? (i / 3) * 2 : 5));

test('a face moved by (3, 4) px lies 5 px away, in units of the distance of the eye corners', () => {
  const moved = face.map((value, i) => value + [3, 4, 100][i % 3]!); // depth does not count
  assert.ok(Math.abs(landmarkDistance(face, moved) - 5 / 460) < 1e-12);
  assert.equal(landmarkDistance(face, face), 0);
});

test('one landmark of 468 counts for a 468th, two coordinates are enough', () => {
  const flat = face.filter((_, i) => i % 3 < 2);
  const moved = flat.slice();
  moved[2 * 100 + 1]! += 46;
  assert.ok(Math.abs(landmarkDistance(flat, moved, 2) - 0.1 / 468) < 1e-12);
  assert.throws(() => landmarkDistance(flat, face), ShapeError);
});
