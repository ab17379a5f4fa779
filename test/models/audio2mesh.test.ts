import assert from 'node:assert/strict';
import test from 'node:test';
import { ANIPORTRAIT_AUDIO } from '../../src/models/audio-config.ts';
import { buildAudio2Mesh, buildSpeechFeatures, describeAudio2Mesh } from '../../src/models/audio2mesh.ts';
import { featureCount, interpolateFeatures } from '../../src/models/wav2vec2.ts';
import { countParameters } from '../../src/models/weight-reader.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
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
const golden = readGoldenFile('audio2mesh');
const weights = goldenWeights(golden.namespace, golden.keys);
const NEW_NAMES = {
  'audio_encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original0': 'weight_g',
  'audio_encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original1': 'weight_v',
} as const;
const oldName = (key: string): string =>
  key in NEW_NAMES ? key.replace(/parametrizations.*$/, NEW_NAMES[key as keyof typeof NEW_NAMES]) : key;
const renamed = goldenWeights(
  golden.namespace,
  golden.keys.map(([key, dims]) => [
    Object.keys(NEW_NAMES).find((name) => oldName(name) === key) ?? key,
    dims,
  ]),
  oldName,
);

async function runCase(name: string, source: WeightSource): Promise<void> {
  const { inputs, outputs } = goldenCase(golden, name);
  const frames = inputs.seq_len as unknown as number;
  const extractor = await loadOrtNetwork('features', buildSpeechFeatures(SMALL_AUDIO.encoder, source));
  const { features } = await extractor.run({ audio: goldenInput(inputs.audio!) });
  assertGolden(golden, outputs.conv_features!, features!.data, TOLERANCE, 'conv_features');
  assert.equal(features!.dims[1], featureCount(SMALL_AUDIO.encoder, inputs.audio!.shape[1]!));
  const interpolated = interpolateFeatures(features!, frames);
  assertGolden(golden, outputs.interpolated!, interpolated.data, TOLERANCE, 'interpolated');
  const network = await loadOrtNetwork('audio2mesh', buildAudio2Mesh(SMALL_AUDIO, source));
  const { mesh } = await network.run({ features: interpolated });
  assert.deepEqual(mesh!.dims, [frames, 1404]);
  assertGolden(golden, outputs.mesh!, mesh!.data, TOLERANCE, 'mesh');
}

for (const name of ['infer_12', 'infer_31', 'infer_up']) {
  test(`${name}: features, interpolation and mesh match the reference`, () => runCase(name, weights));
}

test('a weight norm in the newer spelling gives the same numbers', () => runCase('infer_12', renamed));

for (const { name, inputs, outputs } of golden.cases.filter((item) => item.name.startsWith('interp_'))) {
  test(`${name}: features are interpolated as by the reference`, () => {
    const frames = outputs.out!.shape[1]!;
    const { data, dims } = interpolateFeatures(goldenInput(inputs.features!), frames);
    assert.deepEqual(dims, outputs.out!.shape);
    assertGolden(golden, outputs.out!, data, 1e-6, name);
  });
}

test('the number of features is that of the reference', () => {
  const { conv_output_lengths: lengths } = golden as unknown as {
    readonly conv_output_lengths: Readonly<Record<string, number>>;
  };
  for (const [samples, expected] of Object.entries(lengths)) {
    assert.equal(featureCount(SMALL_AUDIO.encoder, Number(samples)), expected, samples);
  }
  assert.equal(featureCount(SMALL_AUDIO.encoder, 399), 0);
});

test('the published size has the keys, shapes, parameters and operations of the checkpoint', () => {
  const length = { samples: 80000, frames: 150 };
  const { weights: specs, flops } = describeAudio2Mesh(ANIPORTRAIT_AUDIO, length);
  assert.deepEqual(specs.map(({ key, dims }) => [key, dims]).sort(), readFullSizeKeys('audio2mesh').sort());
  assert.equal(countParameters(specs), readFullSizeSummary().parameters.audio2mesh);
  assert.ok(Math.abs(flops / 1e9 - 52.7) < 0.3, `${flops / 1e9}`);
});
