import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smoothingWeights, smoothingWindow } from '../../src/motion/smoothing.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FLOAT64 = { rtol: 1e-10, atol: 1e-12 };

test('weights are those of the tables by Savitzky and Golay', () => {
  assertAllClose(smoothingWeights(2, 2), [-3 / 35, 12 / 35, 17 / 35, 12 / 35, -3 / 35], FLOAT64);
  assertAllClose(
    smoothingWeights(4, 4),
    [-21, 14, 39, 54, 59, 54, 39, 14, -21].map((weight) => weight / 231),
    FLOAT64,
  );
});

for (const [before, after] of [
  [0, 4],
  [1, 4],
  [3, 0],
  [5, 5],
] as const) {
  test(`a parabola stays as it is with ${before} values before and ${after} after`, () => {
    const parabola = (x: number): number => 3 - 2 * x + 0.5 * x * x;
    const sum = smoothingWeights(before, after).reduce((total, w, i) => total + w * parabola(i - before), 0);
    assert.ok(Math.abs(sum - parabola(0)) < 1e-9);
  });
}

test('too few values for a parabola give a line, or themselves', () => {
  assertAllClose(smoothingWeights(0, 1), [1, 0], FLOAT64);
  assertAllClose(smoothingWeights(0, 0), [1], FLOAT64);
});

test('a window ends where the frames end', () => {
  assert.equal(smoothingWindow(1, 2, 0, 10).first, 0);
  assert.equal(smoothingWindow(1, 2, 0, 10).weights.length, 4);
  assert.equal(smoothingWindow(5, 2, 5, 6).weights.length, 1);
});
