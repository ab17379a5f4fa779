import assert from 'node:assert/strict';
import test from 'node:test';
import { InvalidOptionError, ModelError } from '../../src/errors.ts';
import { buildVaeDecoder, buildVaeEncoder, describeVae, STABLE_DIFFUSION_VAE } from '../../src/models/vae.ts';
import { countParameters } from '../../src/models/weight-reader.ts';
import { tensor } from '../../src/tensor/tensor.ts';
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

/** float32 against float32 with another order of summation. */
const TOLERANCE = 5e-5;
const SCALING_FACTOR = 0.18215;
const golden = readGoldenFile('vae');
const config = { ...STABLE_DIFFUSION_VAE, blockOutChannels: [32, 64, 128, 128] };
const weights = goldenWeights(golden.namespace, golden.keys);

for (const name of ['encode', 'encode_square']) {
  test(`${name}: mean and log-variance match the reference`, async () => {
    const { inputs, outputs } = goldenCase(golden, name);
    const image = goldenInput(inputs.image!);
    const [, , height, width] = image.dims as [number, number, number, number];
    const network = await loadOrtNetwork(name, buildVaeEncoder(config, weights, { height, width }));
    const { mean, logvar } = await network.run({ image });
    assertGolden(golden, outputs.mean!, mean!.data, TOLERANCE, 'mean');
    assertGolden(golden, outputs.logvar!, logvar!.data, TOLERANCE, 'logvar');
    const latents = mean!.data.map((value) => value * SCALING_FACTOR);
    assertGolden(golden, outputs.latents!, latents, TOLERANCE, 'latents');
  });
}

test('decode: the picture matches the reference, with either spelling of the attention keys', async () => {
  const { inputs, outputs } = goldenCase(golden, 'decode');
  const old: [string, string][] = [
    ['query', 'to_q'],
    ['key', 'to_k'],
    ['value', 'to_v'],
    ['proj_attn', 'to_out.0'],
  ];
  const spell = (key: string, from: 0 | 1): string =>
    old.reduce(
      (text, pair) => text.replace(`.attentions.0.${pair[from]}.`, `.attentions.0.${pair[1 - from]!}.`),
      key,
    );
  const oldKeys = golden.keys.map(([key, dims]) => [spell(key, 1), dims] as const);
  const oldWeights = goldenWeights(golden.namespace, oldKeys, (key) => spell(key, 0));
  for (const source of [weights, oldWeights]) {
    const network = await loadOrtNetwork('vae', buildVaeDecoder(config, source, { height: 64, width: 96 }));
    const { image } = await network.run({ latents: goldenInput(inputs.latents!) });
    assertGolden(golden, outputs.image!, image!.data, TOLERANCE, 'image');
  }
});

test('decode_pipeline: two frames in a batch, scaled and clamped, match the reference', async () => {
  const { inputs, outputs } = goldenCase(golden, 'decode_pipeline');
  const video = goldenInput(inputs.latents!);
  // [1, 4, 2, 8, 8] to a batch of two pictures.
  const [channels, frames, size] = [4, 2, 64];
  const batch = new Float32Array(video.data.length);
  for (let f = 0; f < frames; f++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < size; i++) {
        batch[(f * channels + c) * size + i] = video.data[(c * frames + f) * size + i]! / SCALING_FACTOR;
      }
    }
  }
  const options = { height: 64, width: 64, batch: frames };
  const network = await loadOrtNetwork('vae', buildVaeDecoder(config, weights, options));
  const { image } = await network.run({ latents: tensor(batch, [frames, channels, 8, 8]) });
  const pixels = 64 * 64;
  const actual = new Float32Array(image!.data.length);
  for (let f = 0; f < frames; f++) {
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < pixels; i++) {
        const value = image!.data[(f * 3 + c) * pixels + i]! / 2 + 0.5;
        actual[(c * frames + f) * pixels + i] = Math.min(1, Math.max(0, value));
      }
    }
  }
  assertGolden(golden, outputs.video!, actual, TOLERANCE, 'video');
});

test('the published size has the keys, shapes, parameters and operations of the checkpoint', () => {
  const { encoder, decoder } = describeVae(STABLE_DIFFUSION_VAE, { height: 512, width: 512 });
  const keys = [...encoder.weights, ...decoder.weights].map(({ key, dims }) => [key, dims]);
  assert.deepEqual(keys.sort(), readFullSizeKeys('sd_vae_ft_mse').sort());
  const { parameters, gflops } = readFullSizeSummary();
  assert.equal(countParameters(encoder.weights), parameters.vae_encoder_side);
  assert.equal(countParameters(decoder.weights), parameters.vae_decoder_side);
  assert.ok(Math.abs(encoder.flops / 1e9 - gflops.vae_encode!) < 0.01);
  // After upsampling, four taps do what nine did: the rest at 128², 256² and 512² pixels is left out.
  const upsampling = (2 * 5 * (128 ** 2 * 512 ** 2 + 256 ** 2 * 512 ** 2 + 512 ** 2 * 256 ** 2)) / 1e9;
  assert.ok(Math.abs(decoder.flops / 1e9 + upsampling - gflops.vae_decode!) < 0.01);
});

test('refuses sizes that the levels do not divide, and another checkpoint', () => {
  assert.throws(() => buildVaeDecoder(config, weights, { height: 64, width: 60 }), InvalidOptionError);
  assert.throws(
    () => buildVaeEncoder(STABLE_DIFFUSION_VAE, weights, { height: 64, width: 64 }),
    (error: Error) =>
      error instanceof ModelError && /of another shape: encoder\.conv_in\.weight/.test(error.message),
  );
});
