import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ANIPORTRAIT_POSE_GUIDER,
  buildPoseGuider,
  describePoseGuider,
} from '../../src/models/pose-guider.ts';
import { countParameters } from '../../src/models/weight-reader.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import {
  assertGolden,
  goldenCase,
  goldenInput,
  goldenWeights,
  readFullSizeKeys,
  readFullSizeSummary,
  readGoldenFile,
} from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { SMALL_POSE_GUIDER } from '../helpers/small-networks.ts';

/** Batch statistics over few values amplify rounding, the more the deeper. */
const TOLERANCES = [5e-5, 2e-4, 1e-3, 1e-3, 1e-3];
const golden = readGoldenFile('pose_guider');
const weights = goldenWeights(golden.namespace, golden.keys);
/** Video bytes [1, 3, frames, H, W] as pictures [frames, 3, H, W], `2 · value · scale − 1`. */
function pictures({ data, dims }: Tensor, scale: number): Tensor {
  const [, channels, frames, height, width] = dims as [number, number, number, number, number];
  const size = height * width;
  const out = new Float32Array(data.length);
  for (let f = 0; f < frames; f++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < size; i++) {
        out[(f * channels + c) * size + i] = 2 * scale * data[(c * frames + f) * size + i]! - 1;
      }
    }
  }
  return tensor(out, [frames, channels, height, width]);
}

const cases = [
  { name: 'p0_parity', scale: 1, batchStatistics: true },
  { name: 'p1_scaled_batchstats', scale: 1 / 255, batchStatistics: true },
  { name: 'p2_scaled_running', scale: 1 / 255, batchStatistics: false },
  { name: 'p3_unscaled_running', scale: 1, batchStatistics: false },
  { name: 'p0_odd', scale: 1, batchStatistics: true },
];
for (const { name, scale, batchStatistics } of cases) {
  test(`${name}: every feature matches the reference`, async () => {
    const { inputs, outputs } = goldenCase(golden, name);
    const input = pictures(goldenInput(inputs.pose_bytes!), scale);
    const [frames, , height, width] = input.dims as [number, number, number, number];
    const config = { ...SMALL_POSE_GUIDER, batchStatistics };
    const network = await loadOrtNetwork(name, buildPoseGuider(config, weights, { frames, height, width }));
    const features = await network.run({ pictures: input });
    assert.equal(Object.keys(features).length, 5);
    TOLERANCES.forEach((tolerance, index) => {
      const expected = outputs[`pose.${index}`]!;
      const actual = features[`pose.${index}`]!;
      assert.deepEqual(actual.dims, expected.shape);
      assertGolden(golden, expected, actual.data, tolerance, `pose.${index}`);
    });
  });
}

test('the published size has the keys, shapes, parameters and operations of the checkpoint', () => {
  const { weights: specs, flops } = describePoseGuider(ANIPORTRAIT_POSE_GUIDER, {
    frames: 1,
    height: 512,
    width: 512,
  });
  assert.deepEqual(specs.map(({ key, dims }) => [key, dims]).sort(), readFullSizeKeys('pose_guider').sort());
  const trained = specs.filter(({ key }) => !/running_|num_batches/.test(key));
  const { parameters, gflops } = readFullSizeSummary();
  assert.equal(countParameters(trained), parameters.pose_guider);
  assert.ok(Math.abs(flops / 1e9 - gflops.pose_guider_per_frame!) < 0.01);
});
