import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvironmentError } from '../../src/errors.ts';
import type { Bundle } from '../../src/models/bundle.ts';
import { openBundle } from '../../src/models/bundle.ts';
import type { BundleDescription } from '../../src/models/bundle-description.ts';
import { atResolution } from '../../src/models/bundle-size.ts';
import { ANIPORTRAIT_CLIP } from '../../src/models/clip-config.ts';
import { ANIPORTRAIT_POSE_GUIDER } from '../../src/models/pose-guider.ts';
import { ANIPORTRAIT_UNET } from '../../src/models/unet-config.ts';
import { STABLE_DIFFUSION_VAE } from '../../src/models/vae.ts';
import { checkMemory, jobMemory } from '../../src/pipeline/job-memory.ts';

/** A bundle of the published size, as far as memory depends on it. */
const FULL = {
  description: {
    name: 'full',
    resolution: 512,
    codec: { ...STABLE_DIFFUSION_VAE, type: 'autoencoder-kl', scalingFactor: 0.18215 },
    imageEncoder: ANIPORTRAIT_CLIP,
    denoisingUnet: ANIPORTRAIT_UNET,
    poseGuider: ANIPORTRAIT_POSE_GUIDER,
    files: { denoisingUnet: { path: 'x', bytes: 2.6e9, sha256: '' } },
  } as unknown as BundleDescription,
} as Bundle;
const SIZE = {
  bundle: FULL,
  device: 'cpu',
  windowFrames: 16,
  frames: 40,
  pixels: 512 * 512,
  audioSamples: 48_000,
} as const;

test('full-size networks take turns: the most is what the denoiser takes, and little memory takes half', () => {
  const most = jobMemory(SIZE);
  assert.ok(most > 8e9 && most < 12e9, `${most}`);
  const low = jobMemory({ ...SIZE, lowMemory: true });
  assert.ok(low > 4e9 && low < 9e9, `${low}`);
  assert.ok(jobMemory({ ...SIZE, windowFrames: 9 }) < most);
  // On a GPU all are loaded at once.
  assert.ok(jobMemory({ ...SIZE, device: 'cuda' }) > 1.3 * most);
});

/** Peaks in bytes that were measured, see scripts/results/memory.md. */
const MEASURED_FULL = [
  { side: 256, windowFrames: 2, denoisers: 2, peak: 11.99e9 },
  { side: 256, windowFrames: 3, peak: 6.84e9 },
  { side: 256, windowFrames: 3, lowMemory: true, peak: 5.08e9 },
  { side: 256, windowFrames: 16, peak: 7.76e9 },
  { side: 512, windowFrames: 2, peak: 7.68e9 },
  { side: 512, windowFrames: 9, peak: 10.21e9 },
  { side: 512, windowFrames: 16, peak: 9.72e9 },
] as const;

for (const { side, windowFrames, peak, ...how } of MEASURED_FULL) {
  const words = `${windowFrames} frames of ${side} pixels${'lowMemory' in how ? ' with little memory' : ''}${'denoisers' in how ? ' with guidance' : ''}`;
  test(`${words}: the estimate is within 15 % of what was measured`, () => {
    const bundle = atResolution(FULL, side);
    const estimate = jobMemory({ ...SIZE, bundle, pixels: side * side, windowFrames, ...how });
    assert.ok(Math.abs(estimate / peak - 1) <= 0.15, `${estimate}`);
  });
}

/** The same of the embedded bundle. */
const MEASURED_SMALL = [
  { name: 'fast, 8 frames', frames: 8, windowFrames: 8, peak: 0.518e9 },
  { name: 'fast, 13 frames', frames: 13, peak: 0.554e9 },
  { name: 'fast, 25 frames', frames: 25, peak: 0.497e9 },
  { name: 'fast, 75 frames', frames: 75, peak: 0.554e9 },
  { name: 'fast, 250 frames', frames: 250, denoisers: 2, peak: 0.709e9 },
  { name: 'faster, 13 frames', frames: 13, windowFrames: 7, peak: 0.507e9 },
  { name: 'faster, 25 frames', frames: 25, peak: 0.482e9 },
  { name: 'faster, 75 frames', frames: 75, peak: 0.507e9 },
  { name: 'faster, 250 frames', frames: 250, peak: 0.536e9 },
  { name: 'original, 13 frames', frames: 13, denoisers: 2, peak: 0.732e9 },
  { name: 'fast, 13 frames of 1920 pixels', side: 1920, frames: 13, peak: 0.572e9 },
  { name: 'faster, 13 frames of 1920 pixels', side: 1920, frames: 13, windowFrames: 7, peak: 0.511e9 },
  { name: 'faster, 25 frames of 1920 pixels', side: 1920, frames: 25, peak: 0.554e9 },
  { name: 'faster, 75 frames of 1920 pixels', side: 1920, frames: 75, peak: 0.593e9 },
  { name: 'faster, 250 frames of 1920 pixels', side: 1920, frames: 250, peak: 0.595e9 },
  { name: 'fast, 13 frames with little memory', frames: 13, lowMemory: true, peak: 0.527e9 },
  { name: 'faster, 25 frames with little memory', frames: 25, lowMemory: true, peak: 0.441e9 },
] as const;

for (const { name, peak, frames, ...how } of MEASURED_SMALL) {
  test(`${name}: the estimate of the embedded bundle is within 15 % of what was measured`, async () => {
    const { side = 512, ...rest } = { windowFrames: 12, ...how } as { side?: number; windowFrames: number };
    const clip = { frames, pixels: side * side, audioSamples: 640 * frames, ...rest };
    const estimate = jobMemory({ ...SIZE, bundle: await openBundle('tiny'), ...clip });
    assert.ok(Math.abs(estimate / peak - 1) <= 0.15, `${estimate}`);
  });
}

test('with guidance, a large denoiser is open beside the other where there is room for both, and a job that has it for one is not refused', () => {
  const guided = { ...SIZE, denoisers: 2 };
  const [one, both] = [jobMemory(SIZE), jobMemory(guided)];
  assert.ok(both > 1.3 * one, `${one}, ${both}`);
  assert.equal(jobMemory({ ...guided, turnBytes: 14e9 }), one);
  assert.equal(jobMemory({ ...guided, lowMemory: true }), jobMemory({ ...SIZE, lowMemory: true }));
  checkMemory(guided, { available: one, held: 0 });
});

test('a job that cannot fit is refused with the settings that would', () => {
  const refusal = (available: number): string => {
    try {
      checkMemory(SIZE, { available, held: 0.3e9 });
    } catch (error) {
      assert.ok(error instanceof EnvironmentError);
      return error.message;
    }
    return '';
  };
  assert.equal(refusal(12e9), '');
  const low = jobMemory({ ...SIZE, lowMemory: true });
  assert.match(
    refusal(low),
    /^Cannot render: expected about [\d.]+ GB of memory, got [\d.]+ GB; it would fit with lowMemory: true$/,
  );
  assert.match(refusal(0.72 * low), /it would fit with lowMemory: true and resolution: \d+$/);
  assert.match(refusal(1e9), /close other programs, or render on a machine with more/);
});

test('small bundles are not refused', async () => {
  const bundle = await openBundle('tiny');
  checkMemory({ ...SIZE, bundle }, { available: 1, held: 1 });
  assert.throws(
    () => checkMemory({ ...SIZE, bundle, lowMemory: true }, { available: 1, held: 1 }),
    EnvironmentError,
  );
});
