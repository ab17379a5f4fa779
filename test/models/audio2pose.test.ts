import assert from 'node:assert/strict';
import test from 'node:test';
import { ANIPORTRAIT_AUDIO } from '../../src/models/audio-config.ts';
import { buildSpeechFeatures } from '../../src/models/audio2mesh.ts';
import {
  buildPoseMemory,
  buildPoseStep,
  describeAudio2Pose,
  distanceSlopes,
  type SpeechPoseConfig,
} from '../../src/models/audio2pose.ts';
import { interpolateFeatures } from '../../src/models/wav2vec2.ts';
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
import { SMALL_AUDIO } from '../helpers/small-audio.ts';

/** float32 against float32 with another order of summation. */
const TOLERANCE = 2e-5;
const golden = readGoldenFile('audio2pose');
const weights = goldenWeights(golden.namespace, golden.keys);
const { latentDim: width, numLayers: layers, numHeads: heads } = SMALL_AUDIO.pose;

for (const name of ['infer_12', 'infer_12_id99', 'infer_45']) {
  test(`${name}: speech and every pose of the sequence match the reference, with keys and values kept`, async () => {
    const { inputs, outputs } = goldenCase(golden, name);
    const frames = inputs.seq_len as unknown as number;
    const extractor = await loadOrtNetwork('features', buildSpeechFeatures(SMALL_AUDIO.encoder, weights));
    const { features } = await extractor.run({ audio: goldenInput(inputs.audio!) });
    const speech = await loadOrtNetwork('memory', buildPoseMemory(SMALL_AUDIO, weights));
    const { memory, crossed } = await speech.run({ features: interpolateFeatures(features!, frames) });
    assertGolden(golden, outputs.memory!, memory!.data, TOLERANCE, 'memory');

    const step = await loadOrtNetwork('step', buildPoseStep(SMALL_AUDIO, weights));
    const poses = new Float32Array(frames * 6);
    let pose: Tensor = tensor(new Float32Array(6), [1, 6]);
    let keys = tensor(new Float32Array(0), [layers, heads, 0, width / heads]);
    let values = keys;
    for (let frame = 0; frame < frames; frame++) {
      const row = crossed!.data.subarray(frame * layers * width, (frame + 1) * layers * width);
      const out = await step.run({
        pose,
        position: tensor(Float32Array.of(frame), [1]),
        speaker: tensor(Float32Array.of(inputs.id as unknown as number), [1]),
        crossed: tensor(row, [layers, width]),
        keys,
        values,
      });
      pose = out.next!;
      keys = out.all_keys!;
      values = out.all_values!;
      poses.set(pose.data, frame * 6);
    }
    assert.deepEqual(keys.dims, [layers, heads, frames, width / heads]);
    assertGolden(golden, outputs.pose!, poses, TOLERANCE, 'pose');
  });
}

test('the penalty of distance is that of the reference', () => {
  const { outputs } = goldenCase(golden, 'mask');
  const { data } = golden.tensors.get(outputs.mask!.tensor!)!;
  const [count, rows] = outputs.mask!.shape as [number, number, number];
  const slopes = distanceSlopes(count);
  for (let h = 0; h < count; h++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j <= i; j++) {
        assert.equal(-(i - j) * slopes[h]! + 0, data[(h * rows + i) * rows + j]! + 0);
      }
    }
  }
});

test('the published size has the keys, shapes and parameters of the checkpoint', () => {
  const { weights: specs } = describeAudio2Pose(ANIPORTRAIT_AUDIO as SpeechPoseConfig, {
    samples: 80000,
    frames: 150,
  });
  assert.deepEqual(specs.map(({ key, dims }) => [key, dims]).sort(), readFullSizeKeys('audio2pose').sort());
  const trained = specs.filter(({ key }) => key !== 'PPE.pe');
  assert.equal(countParameters(trained), readFullSizeSummary().parameters.audio2pose);
});
