import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Affine, applyAffine, fitAffine, invertAffine } from '../../src/face/affine.ts';

const MAP: Affine = [1.2, -0.3, 5, 0.4, 0.9, -2];
const POINTS = [0, 0, 10, 1, 3, 8, -4, 6, 7, 7];

test('a map is found again from where it sends points', () => {
  const moved = Array.from({ length: 5 }, (_, i) =>
    applyAffine(MAP, POINTS[2 * i]!, POINTS[2 * i + 1]!),
  ).flat();
  fitAffine(POINTS, moved, [0, 1, 2, 3, 4]).forEach((value, i) => {
    assert.ok(Math.abs(value - MAP[i]!) < 1e-9);
  });
});

test('the inverse leads back', () => {
  const [x, y] = applyAffine(invertAffine(MAP), ...applyAffine(MAP, 3, -7));
  assert.ok(Math.hypot(x - 3, y + 7) < 1e-12);
});
