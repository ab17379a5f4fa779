import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summariseKeys } from '../../src/bundles/key-summary.ts';
import { recogniseWeights } from '../../src/weights/recognise-weights.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
import { readFullSizeKeys } from '../helpers/golden-weights.ts';

function named(keys: readonly (readonly [string, readonly number[]])[]): WeightSource {
  const shapes = new Map(keys);
  return {
    path: 'file',
    keys: () => shapes.keys(),
    has: (key) => shapes.has(key),
    info: (key) => ({ dims: shapes.get(key)!, dtype: 'F32' }),
    read: () => assert.fail('nothing is read'),
  };
}

const PUBLISHED: Readonly<Record<string, string>> = {
  denoising_unet: 'a denoising UNet without motion modules',
  motion_module: 'motion modules',
  reference_unet: 'a reference UNet',
  pose_guider: 'a pose guider',
  sd_vae_ft_mse: 'an autoencoder',
  image_encoder: 'the image encoder',
  audio2mesh: 'an Audio2Mesh network',
  audio2pose: 'an Audio2Pose network',
};
for (const [file, kind] of Object.entries(PUBLISHED)) {
  test(`the published ${file} is ${kind}`, () => {
    assert.equal(recogniseWeights(named(readFullSizeKeys(file))), kind);
  });
}

test('the UNets of other generations are recognised by what they read of the text', () => {
  const unet = readFullSizeKeys('denoising_unet');
  const reading = (width: number) =>
    named(unet.map(([key, dims]) => [key, key.endsWith('attn2.to_k.weight') ? [dims[0]!, width] : dims]));
  assert.match(recogniseWeights(reading(2048))!, /^a UNet of Stable Diffusion XL/);
  assert.match(recogniseWeights(reading(1024))!, /^a UNet of Stable Diffusion 2/);
  assert.equal(recogniseWeights(named([['weight', [1]]])), undefined);
});

test('names that differ in numbers are reported together, numbers that do not differ stay', () => {
  assert.deepEqual(summariseKeys(['a.0.w.1', 'b', 'a.1.w.1', 'a.10.w.1', 'c.2']), [
    'a.*.w.1 (3)',
    'b',
    'c.2',
  ]);
  assert.deepEqual(summariseKeys([]), []);
});
