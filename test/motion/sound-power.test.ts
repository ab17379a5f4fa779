import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { movingMean, soundPower } from '../../src/motion/sound-power.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { golden } from './motion-fixture.ts';

const config = parseMotionConfig(golden.config, 'network.json');
const STEP = 320;

test('the samples around each output count, and silence is assumed around the clip', () => {
  // Output i is at sample 320 i; what is around it begins at 320 i - 160.
  const pcm = new Float32Array(3 * STEP);
  pcm.fill(0.5, STEP + STEP / 2, 2 * STEP + STEP / 2);
  assertAllClose(soundPower({ config, pcm, first: -1, count: 6 }), [0, 0, 0, 0.25, 0, 0], {
    rtol: 1e-12,
    atol: 1e-12,
  });
});

test('means at the ends are of those that are there', () => {
  assertAllClose(movingMean(Float64Array.of(3, 0, 0, 6), 1), [1.5, 1, 2, 3], { rtol: 1e-12, atol: 0 });
  assert.deepEqual([...movingMean(Float64Array.of(1, 2), 0)], [1, 2]);
});
