/** Whole clips, from a portrait and a recording to frames, against an independent implementation of AniPortrait's pipeline. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { ClipOptions } from '../../src/pipeline/prepare-clip.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import {
  CLIP_LORA_SCALE,
  CLIP_PORTRAIT,
  CLIP_SEED,
  type GoldenClip,
  levelDifferences,
  renderLevels,
  writeClipInputs,
} from '../helpers/golden-clip.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 600_000 };
/** Rounding is half a level; the rest is what summation orders make of 4 steps, and of 25 with guidance. */
const TOLERANCES = { lcm: 0.6, original: 0.75 } as const;
/** Other weights show at least so much on average. */
const OTHER_CLIP = 5;
const golden = JSON.parse(
  readFileSync(new URL('../golden/clip/clip.json', import.meta.url), 'utf8'),
) as GoldenClip;
const folder = temporaryDirectory();
const files = writeClipInputs(folder);
const lcm = { windows: 'loop', loras: [{ path: files.lora, scale: CLIP_LORA_SCALE }] } as const;

let studio: Studio;
before(() => {
  studio = new Studio({ device: 'cpu', cacheFolder: path.join(folder, 'cache') });
});
after(() => studio.dispose());

function render(name: string, options: Partial<ClipOptions>): Promise<number[][]> {
  return renderLevels(studio, golden, {
    ...{ portrait: CLIP_PORTRAIT, audio: files.audio, bundle: files.bundle },
    ...{ output: `${path.join(folder, name)}/`, seed: CLIP_SEED, framing: 'crop' },
    ...options,
  });
}

function differences(frames: readonly number[][], name: string): { most: number; mean: number } {
  return levelDifferences(frames, golden, name);
}

test('LCM with a merged LoRA makes the frames of an independent implementation', LIMIT, async () => {
  const frames = await render('lcm', { preset: 'fast', ...lcm });
  const { most } = differences(frames, 'lcm');
  assert.ok(most <= TOLERANCES.lcm, `${most} levels`);
  const { mean } = differences(frames, 'lcm-without-lora');
  assert.ok(mean > OTHER_CLIP, `without the LoRA the clip is another one: ${mean} levels`);
});

test(
  'the original preset, 25 guided steps, makes the frames of an independent implementation',
  LIMIT,
  async () => {
    const { most } = differences(await render('original', { preset: 'original', steps: 25 }), 'original');
    assert.ok(most <= TOLERANCES.original, `${most} levels`);
  },
);

test('with little memory, weights in half precision change an LCM clip little', LIMIT, async () => {
  const { mean } = differences(await render('frugal', { preset: 'fast', ...lcm, lowMemory: true }), 'lcm');
  assert.ok(mean < OTHER_CLIP / 2, `${mean} levels`);
});
