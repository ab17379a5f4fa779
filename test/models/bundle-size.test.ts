import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import type { Bundle } from '../../src/models/bundle.ts';
import { type BundleDescription, latentSize } from '../../src/models/bundle-description.ts';
import { atResolution, parseResolution, resolutionOf } from '../../src/models/bundle-size.ts';
import { STABLE_DIFFUSION_VAE } from '../../src/models/vae.ts';

const bundle = {
  description: {
    name: 'full',
    resolution: 512,
    codec: { ...STABLE_DIFFUSION_VAE, type: 'autoencoder-kl', scalingFactor: 0.18215 },
  } as unknown as BundleDescription,
} as Bundle;

test('a resolution is a side, or width and height, of 256 to 768 in steps of 64', () => {
  assert.deepEqual(parseResolution(512), { width: 512, height: 512 });
  assert.deepEqual(parseResolution('384'), { width: 384, height: 384 });
  assert.deepEqual(parseResolution('512x768'), { width: 512, height: 768 });
  for (const wrong of [
    300,
    1024,
    '512x',
    'x512',
    '512x300',
    '512x832',
    '192x512',
    '512x512x512',
    '-512',
    'wide',
  ]) {
    assert.equal(parseResolution(wrong), undefined, String(wrong));
  }
});

test('a bundle at another shape has latents of it, and goes back to a square', () => {
  const tall = atResolution(bundle, '512x768');
  assert.deepEqual(latentSize(tall.description), { width: 64, height: 96 });
  assert.equal(resolutionOf(tall.description), '512x768');
  assert.equal(atResolution(tall, '512x768'), tall);
  const square = atResolution(tall, '256x256');
  assert.deepEqual(latentSize(square.description), { width: 32, height: 32 });
  assert.equal(resolutionOf(square.description), 256);
  assert.equal(atResolution(bundle, 512), bundle);
  assert.throws(() => atResolution(bundle, '512x100'), InvalidOptionError);
});
