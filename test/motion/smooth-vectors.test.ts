import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smoothVectors } from '../../src/motion/smooth-vectors.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FLOAT32 = { rtol: 1e-6, atol: 1e-6 };

test('a step becomes the sums of the binomial weights, each column by itself', () => {
  const data = Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? (i < 8 ? 0 : 16) : 5));
  const smooth = smoothVectors(data, 2);
  assertAllClose(
    smooth.filter((_, i) => i % 2 === 0),
    [0, 0, 1, 5, 11, 15, 16, 16],
    FLOAT32,
  );
  assertAllClose(
    smooth.filter((_, i) => i % 2 === 1),
    new Array(8).fill(5),
    FLOAT32,
  );
  assert.equal(data[8], 16);
});

test('what alternates from vector to vector is gone, and 3 Hz at 50 a second keep 93 %', () => {
  const count = 100;
  const wave = (hertz: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => Math.cos((2 * Math.PI * hertz * i) / 50));
  for (const [hertz, kept] of [
    [25, 0],
    // cos⁴(π f / 50)
    [3, Math.cos((Math.PI * 3) / 50) ** 4],
  ] as const) {
    const before = wave(hertz).subarray(2, count - 2);
    const after = smoothVectors(wave(hertz), 1).subarray(2, count - 2);
    assertAllClose(
      after,
      before.map((value) => kept * value),
      FLOAT32,
    );
  }
});

test('a single vector stays', () => {
  assertAllClose(smoothVectors(Float32Array.of(1, 2, 3), 3), [1, 2, 3], FLOAT32);
});
