import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closureMargin, deepenClosures } from '../../src/motion/lip-closures.ts';

const RATE = 50;
/** Two coefficients; only the first opens the mouth, by 2 cm a unit. */
const BASIS = {
  components: 2,
  openingRate: Float32Array.from([2, 0]),
  opening: Float32Array.from([0.5, 0]),
};

/** Coefficients whose mouth is open by `gaps` cm. */
function coefficientsOf(gaps: readonly number[]): Float32Array {
  return Float32Array.from(gaps.flatMap((gap) => [gap / 2, 7]));
}

function gapsOf(coefficients: Float32Array): number[] {
  return Array.from({ length: coefficients.length / 2 }, (_, i) => 2 * coefficients[2 * i]!);
}

test('a short dip between vowels becomes deeper, a long opening stays as it is', () => {
  const gaps = Array.from({ length: 200 }, (_, i) => (Math.abs(i - 100) <= 2 ? 0.2 : 0.7));
  const coefficients = coefficientsOf(gaps);
  deepenClosures(coefficients, BASIS, RATE);
  const deepened = gapsOf(coefficients);
  assert.ok(deepened[100]! < 0.01, `${deepened[100]}`);
  for (const i of [60, 75, 125, 140]) assert.ok(Math.abs(deepened[i]! - 0.7) < 1e-6);
  for (let i = 0; i < 200; i++) assert.equal(coefficients[2 * i + 1], 7);
});

test('a steady mouth and the margins are left alone', () => {
  const margin = closureMargin(RATE);
  const gaps = Array.from({ length: 60 }, (_, i) => 0.4 + 0.3 * Math.sin(i));
  const coefficients = coefficientsOf(gaps);
  deepenClosures(coefficients, BASIS, RATE);
  assert.deepEqual(coefficients.subarray(0, 2 * margin), coefficientsOf(gaps).subarray(0, 2 * margin));
  assert.deepEqual(
    coefficients.subarray(2 * (60 - margin)),
    coefficientsOf(gaps).subarray(2 * (60 - margin)),
  );
  const steady = coefficientsOf(new Array<number>(60).fill(0.5));
  deepenClosures(steady, BASIS, RATE);
  for (const gap of gapsOf(steady)) assert.ok(Math.abs(gap - 0.5) < 1e-6);
});
