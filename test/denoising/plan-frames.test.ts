import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planDenoisedFrames } from '../../src/denoising/plan-frames.ts';

test('denoised frames are every nth and the last', () => {
  assert.deepEqual(planDenoisedFrames(6, 1), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(planDenoisedFrames(6, 2), [0, 2, 4, 5]);
  assert.deepEqual(planDenoisedFrames(7, 3), [0, 3, 6]);
  assert.deepEqual(planDenoisedFrames(1, 8), [0]);
  assert.deepEqual(planDenoisedFrames(2, 8), [0, 1]);
});
