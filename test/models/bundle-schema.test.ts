import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ANIPORTRAIT_AUDIO, type AniPortraitAudioConfig } from '../../src/models/audio-config.ts';
import { EMBEDDED_BUNDLES } from '../../src/models/bundle.ts';
import {
  type BundleDescription,
  latentSize,
  POSE_GUIDER_VARIANTS,
} from '../../src/models/bundle-description.ts';
import { parseBundleDescription } from '../../src/models/bundle-schema.ts';
import { ANIPORTRAIT_CLIP, type ClipVisionConfig } from '../../src/models/clip-config.ts';
import type { PatchTransformConfig } from '../../src/models/patch-transform.ts';
import { ANIPORTRAIT_POSE_GUIDER, type PoseGuiderConfig } from '../../src/models/pose-guider.ts';
import { ANIPORTRAIT_UNET, type UnetConfig } from '../../src/models/unet-config.ts';
import { STABLE_DIFFUSION_VAE, type VaeConfig } from '../../src/models/vae.ts';

type Json = Record<string, unknown>;

const TINY = JSON.parse(readFileSync(path.join(EMBEDDED_BUNDLES, 'tiny/bundle.json'), 'utf8'));
const FILE = { path: 'w.safetensors', bytes: 7, sha256: '0'.repeat(64) };
const SAMPLING = { sampler: 'ddim', steps: 25, guidance: 3.5, loras: [] };
const ANIPORTRAIT = {
  ...TINY,
  resolution: 512,
  fps: 30,
  contextFrames: 16,
  contextOverlap: 4,
  codec: { type: 'autoencoder-kl', ...STABLE_DIFFUSION_VAE, scalingFactor: 0.18215 },
  imageEncoder: ANIPORTRAIT_CLIP,
  denoisingUnet: ANIPORTRAIT_UNET,
  poseGuider: ANIPORTRAIT_POSE_GUIDER,
  poseConditions: { type: 'drawing', variant: 'P0' },
  motion: ANIPORTRAIT_AUDIO,
  presets: {
    fast: { sampler: 'lcm', steps: 4, guidance: 1, loras: [{ part: 'lcmLora', scale: 1 }] },
    original: { ...SAMPLING, windows: 'loop', unguidedOverlap: 'sum' },
  },
  files: Object.fromEntries(
    [
      'denoisingUnet',
      'referenceUnet',
      'poseGuider',
      'codec',
      'imageEncoder',
      'audio2mesh',
      'audio2pose',
      'lcmLora',
    ].map((part) => [part, FILE]),
  ),
};

function problemsOf(json: unknown): readonly string[] {
  const parsed = parseBundleDescription(json);
  return 'problems' in parsed ? parsed.problems : [];
}

/** True if two types have the same members, optional ones included, at every depth. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Flat<T> = { [Key in keyof T]: T[Key] };
type Codec<Type extends string> = Omit<Extract<BundleDescription['codec'], { readonly type: Type }>, never>;
type Speech<Type extends string> = Extract<BundleDescription['motion'], { readonly type: Type }>;

test('the file has the members that the networks know, no more and no less', () => {
  // The compiler decides: a member that only a network or only the file knows makes one of these false.
  const same: readonly [
    Same<BundleDescription['denoisingUnet'], UnetConfig>,
    Same<BundleDescription['poseGuider'], PoseGuiderConfig>,
    Same<NonNullable<BundleDescription['imageEncoder']>, ClipVisionConfig>,
    Same<Flat<Codec<'patch-transform'>>, PatchTransformConfig>,
    Same<Flat<Omit<Codec<'autoencoder-kl'>, 'type' | 'scalingFactor'>>, VaeConfig>,
    Same<Speech<'aniportrait-audio'>, AniPortraitAudioConfig>,
  ] = [true, true, true, true, true, true];
  assert.deepEqual(new Set(same), new Set([true]));
});

test('a description of full AniPortrait is taken as it is', () => {
  const parsed = parseBundleDescription(ANIPORTRAIT);
  assert('description' in parsed, problemsOf(ANIPORTRAIT).join('; '));
  assert.deepEqual(parsed.description, ANIPORTRAIT);
  assert.deepEqual(latentSize(parsed.description), { height: 64, width: 64 });
  assert.deepEqual(POSE_GUIDER_VARIANTS.P0, { pixelRange: 255, batchStatistics: true });
});

test('an early description without types is that of the small networks', () => {
  const { type: _, ...motion } = { type: undefined, ...TINY.motion };
  const { imageEncoder: _encoder, poseConditions: _conditions, ...rest } = TINY;
  const parsed = parseBundleDescription({ ...rest, motion });
  assert('description' in parsed);
  assert.equal(parsed.description.motion.type, 'mel-convolution');
  assert.equal(parsed.description.imageEncoder, null);
  assert.deepEqual(parsed.description.poseConditions, { type: 'drawing-and-warp' });
  assert.deepEqual(latentSize(parsed.description), { height: 32, width: 32 });
});

test('everything that is wrong is listed at once', () => {
  const problems = problemsOf({
    ...ANIPORTRAIT,
    name: '',
    resolution: -1,
    codec: { type: 'wavelet' },
    schedule: { ...TINY.schedule, predictionType: 'velocity' },
  });
  const fields = problems.map((problem) => problem.split(':')[0]);
  assert.deepEqual(fields.sort(), ['codec.type', 'name', 'resolution', 'schedule.predictionType']);
});

const CONTRADICTIONS: readonly (readonly [string, Json, RegExp])[] = [
  ['a file that a network needs', { files: {} }, /^files\.imageEncoder: expected a file/m],
  [
    'a LoRA that no file holds',
    { files: Object.fromEntries(Object.entries(ANIPORTRAIT.files).filter(([part]) => part !== 'lcmLora')) },
    /^presets\.fast\.loras\.0: expected lcmLora among files/m,
  ],
  ['windows longer than the positions', { contextFrames: 33 }, /^contextFrames: expected at most .* 32/m],
  ['windows that overlap wholly', { contextOverlap: 16 }, /^contextOverlap: expected less than/m],
  [
    'cross attention without an encoder',
    { imageEncoder: null },
    /projectionDim: expected crossAttentionDim, 768/,
  ],
  [
    'a variant that the pose guider is not',
    { poseConditions: { type: 'drawing', variant: 'P2' } },
    /batchStatistics: expected false for variant P2/,
  ],
  [
    'a codec of other channels',
    { codec: { ...ANIPORTRAIT.codec, latentChannels: 8 } },
    /latentChannels: expected/,
  ],
];
for (const [what, changes, message] of CONTRADICTIONS) {
  test(`parts that do not belong together are refused: ${what}`, () => {
    assert.match(problemsOf({ ...ANIPORTRAIT, ...changes }).join('\n'), message);
  });
}

for (const outside of ['../w', '/w', 'a/../../w', 'C:\\w', '..\\w', 'a\0']) {
  test(`a file outside the bundle is refused: ${JSON.stringify(outside)}`, () => {
    const files = { ...ANIPORTRAIT.files, codec: { ...FILE, path: outside } };
    assert.match(
      problemsOf({ ...ANIPORTRAIT, files }).join('\n'),
      /^files\.codec\.path: expected a path inside/m,
    );
  });
}
