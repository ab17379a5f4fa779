/** What the reference clips of test/golden/clip are rendered from, by formula, and what a clip of the program differs from them by. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import type { BundleDescription } from '../../src/models/bundle-description.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import type { ClipOptions } from '../../src/pipeline/prepare-clip.ts';
import type { Studio } from '../../src/pipeline/studio.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import { writeAniPortraitBundle } from './aniportrait-bundle.ts';
import { goldenWeight } from './golden-weights.ts';
import { chirps, encodeWav } from './media.ts';
import { ROOT } from './run-program.ts';

export const CLIP_PORTRAIT = path.join(ROOT, 'assets/portraits/ada.jpg');
export const CLIP_SEED = 7;
/** Of the adapter, as the clip asks for it. */
export const CLIP_LORA_SCALE = 0.8;
const SAMPLE_RATE = 16_000;
/** 12 frames: more than a window of 8, so that windows go round the clip’s end. */
const CLIP_SECONDS = 0.4;
const RANK = 4;
const ALPHA = 2;
/** Modules that the published LCM-LoRA has, by the ends of their names. */
const ADAPTED =
  /(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2|conv1|conv2|conv_shortcut|time_emb_proj|(down|up)samplers\.0\.conv)\.weight$/;

/** What scripts/golden/clip.py writes, as far as frames are compared. */
export interface GoldenClip {
  readonly frames: number;
  readonly size: number;
  /** Flat indices of a frame's numbers: red, green and blue of each pixel in rows. */
  readonly places: readonly number[];
  /** Of each clip by its name, of each frame the numbers at these places, 0 to 255, not rounded. */
  readonly levels: Readonly<Record<string, readonly (readonly number[])[]>>;
}

/** Renders a clip into a folder of pictures. Returns the levels of each frame at the golden's places. */
export async function renderLevels(
  studio: Studio,
  golden: GoldenClip,
  options: ClipOptions & { readonly output: string },
): Promise<number[][]> {
  const clip = await studio.prepare(options);
  try {
    await studio.render(clip);
  } finally {
    await clip.dispose();
  }
  const pictures = readdirSync(options.output).filter((file) => file.endsWith('.png'));
  return Promise.all(
    pictures.sort().map(async (file) => {
      const picture = sharp(path.join(options.output, file)).raw();
      const { data, info } = await picture.toBuffer({ resolveWithObject: true });
      assert.deepEqual([info.width, info.height, info.channels], [golden.size, golden.size, 3]);
      return golden.places.map((place) => data[place]!);
    }),
  );
}

/** The largest and the mean difference from one of the golden's clips, in levels. */
export function levelDifferences(
  actual: readonly number[][],
  { frames, levels }: GoldenClip,
  name: string,
): { readonly most: number; readonly mean: number } {
  const expected = levels[name]!;
  assert.deepEqual([actual.length, expected.length], [frames, frames]);
  const all = actual.flatMap((frame, i) => frame.map((level, k) => Math.abs(level - expected[i]![k]!)));
  return { most: Math.max(...all), mean: all.reduce((sum, value) => sum + value, 0) / all.length };
}

/** Writes `bundle/`, `lora.safetensors` and `speech.wav` to a folder. */
export function writeClipInputs(folder: string): {
  readonly bundle: string;
  readonly lora: string;
  readonly audio: string;
} {
  const files = {
    bundle: path.join(folder, 'bundle'),
    lora: path.join(folder, 'lora.safetensors'),
    audio: path.join(folder, 'speech.wav'),
  };
  writeAniPortraitBundle(files.bundle, { variant: 'P0' });
  const description = JSON.parse(
    readFileSync(path.join(files.bundle, 'bundle.json'), 'utf8'),
  ) as BundleDescription;
  writeFileSync(files.lora, encodeSafetensors(lcmLora(description)));
  writeFileSync(files.audio, encodeWav(chirps(CLIP_SECONDS, SAMPLE_RATE), SAMPLE_RATE));
  return files;
}

/** An adapter with the names of the published LCM-LoRA for the bundle's denoiser. */
function lcmLora({ denoisingUnet }: BundleDescription): (readonly [string, Tensor])[] {
  const { weights } = describeDenoisingUnet(denoisingUnet, {
    ...{ height: 16, width: 16, frames: 8 },
    ...{ reference: 'keys-values', imageEmbeds: 'input', poseFeatures: true },
  });
  const adapted = weights.filter(({ key }) => ADAPTED.test(key) && !key.includes('motion_modules'));
  return adapted.flatMap(({ key, dims }) => {
    const module = `lora_unet_${key.slice(0, -'.weight'.length).replaceAll('.', '_')}`;
    const [out, ...inner] = dims as [number, ...number[]];
    const ones = inner.slice(1).map(() => 1);
    return [
      [`${module}.lora_down.weight`, goldenWeight('lora', `${module}.down.weight`, [RANK, ...inner])],
      [`${module}.lora_up.weight`, goldenWeight('lora', `${module}.up.weight`, [out, RANK, ...ones])],
      [`${module}.alpha`, tensor(Float32Array.of(ALPHA), [])],
    ] as const;
  });
}
