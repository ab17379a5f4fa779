import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NoiseOptions, noiseForFrames } from '../../src/denoising/noise.ts';
import { InvalidOptionError } from '../../src/errors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const options: NoiseOptions = {
  seed: 42,
  purpose: 'initial-latents',
  step: 0,
  start: 0,
  count: 4,
  frameShape: [4, 32, 32],
};

/** Channel by channel, the values of one frame. */
function frameOf({ data, dims }: Tensor, frame: number): number[] {
  const [, channels, frames, height, width] = dims as [number, number, number, number, number];
  const area = height * width;
  return Array.from({ length: channels }, (_, c) => {
    const from = (c * frames + frame) * area;
    return [...data.subarray(from, from + area)];
  }).flat();
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

for (const sharedFraction of [0, 0.5]) {
  test(`a frame's noise does not depend on the window it is drawn in (shared ${sharedFraction})`, () => {
    const clip = noiseForFrames({ ...options, sharedFraction });
    assert.deepEqual(clip.dims, [1, 4, 4, 32, 32]);
    const window = noiseForFrames({ ...options, sharedFraction, start: 2, count: 1 });
    assert.deepEqual(frameOf(window, 0), frameOf(clip, 2));
  });

  test(`noise is of N(0, 1), and frames correlate by ${sharedFraction}`, () => {
    const clip = noiseForFrames({ ...options, sharedFraction });
    const values = [...clip.data];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    // Four standard errors, of 4096 values where the frames are one draw.
    assertAllClose([mean], [0], { rtol: 0, atol: 0.06 });
    assertAllClose([variance], [1], { rtol: 0, atol: 0.08 });
    const between = correlation(frameOf(clip, 0), frameOf(clip, 3));
    assertAllClose([between], [sharedFraction], { rtol: 0, atol: 0.06 });
  });
}

test('seed, purpose, step and frame name independent noise', () => {
  const base = frameOf(noiseForFrames(options), 0);
  const others: readonly NoiseOptions[] = [
    { ...options, seed: 43 },
    { ...options, purpose: 'sampler-step' },
    { ...options, step: 1 },
    { ...options, start: 1 },
  ];
  for (const other of others) {
    assertAllClose([correlation(base, frameOf(noiseForFrames(other), 0))], [0], { rtol: 0, atol: 0.07 });
  }
});

test('options out of range are refused', () => {
  for (const wrong of [
    { sharedFraction: 1 },
    { sharedFraction: -0.1 },
    { seed: 0.5 },
    { count: 0 },
    { start: -1 },
  ]) {
    assert.throws(() => noiseForFrames({ ...options, ...wrong }), InvalidOptionError);
  }
});
