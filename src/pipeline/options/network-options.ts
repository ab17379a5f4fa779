/** What the frames are made with: networks, sampler, precision. A part of the table in `clip-options.ts`. */
import { z } from 'zod';
import { parseResolution, RESOLUTION_EXPECTED, RESOLUTIONS } from '../../models/bundle-size.ts';
import { MAX_DENOISE_EVERY, PRECISIONS, PRESETS, WINDOW_LAYOUTS } from '../../models/bundle-terms.ts';
import { DISTILLED_STEPS, SAMPLERS } from '../../schedulers/create-scheduler.ts';
import { parseLora } from '../../weights/lora-argument.ts';
import { option } from './option-spec.ts';
import { boolean, integer, listOf, number, oneOf, parseNumber, path, steps } from './option-types.ts';

/** A LoRA many times as strong as trained is a slip of the pen. */
const MAX_LORA_SCALE = 10;
const LORAS = `LoRA files, each with a scale from ${-MAX_LORA_SCALE} to ${MAX_LORA_SCALE}`;

const FROM_PRESET = "the preset's";

/** A square's side as a number, however it is written. */
function readResolution(text: string): number | string {
  const size = parseResolution(text);
  return size !== undefined && size.width === size.height ? size.width : parseNumber(text);
}

/** See {@link CLIP_OPTIONS}. */
export const NETWORK_OPTIONS = {
  /** Folder of a bundle, or the name of an embedded or installed one. @defaultValue 'tiny' */
  bundle: option(path('the name of an embedded or installed bundle, or the path of a bundle folder'), {
    description: 'Networks to use: name or folder of a bundle.',
    group: 'networks',
    default: 'tiny',
    path: { to: 'name', marker: 'bundle.json' },
    key: 'own',
    flag: { value: 'name|folder', help: 'networks to use' },
  }),
  /** Folder of installed bundles. @defaultValue the user's */
  bundleStore: option(path('the path of a folder of bundles'), {
    description: 'Folder of installed bundles.',
    group: 'networks',
    otherwise: "the user's",
    path: { to: 'folder' },
    key: 'none',
  }),
  /**
   * Side of the square that the networks see, or width and height, as `512x768`: 256 to 768 pixels in steps of 64, for bundles of
   * AniPortrait's networks; time and memory grow with the pixels. @defaultValue the bundle's
   */
  resolution: option(
    z.union(
      [
        steps(RESOLUTIONS, RESOLUTION_EXPECTED),
        z.string().refine((value) => parseResolution(value) !== undefined, RESOLUTION_EXPECTED),
      ],
      RESOLUTION_EXPECTED,
    ),
    {
      description:
        'Size of the square that the networks see, or width and height, as 512x768, for AniPortrait bundles.',
      group: 'networks',
      otherwise: "the bundle's",
      fromText: readResolution,
      flag: {
        value: 'n|WxH',
        help: 'size of the square that the networks see, or width and height, 256 to 768, for AniPortrait bundles',
      },
    },
  ),
  /**
   * Takes less memory, and more time: networks are opened one at a time, also those of small bundles, and large weights stay in
   * half precision until a layer needs them. @defaultValue false
   */
  lowMemory: option(boolean(), {
    description: 'Uses less memory and more time: one network at a time, large weights in half precision.',
    group: 'networks',
    default: false,
    key: 'none',
    flag: { help: 'use less memory and more time' },
  }),
  /** LoRAs to merge into the denoising UNet, after those of the preset. @defaultValue none */
  loras: option(
    listOf(
      z.object(
        {
          path: path(LORAS),
          scale: z.number(LORAS).min(-MAX_LORA_SCALE, LORAS).max(MAX_LORA_SCALE, LORAS),
        },
        LORAS,
      ),
      LORAS,
    ),
    {
      description:
        "LoRAs to merge in addition to the preset's, as file or file:scale; a job's list replaces that of the defaults.",
      group: 'sampling',
      path: { to: 'items', noun: 'LoRA', holds: 'weights' },
      key: 'own',
      repeatable: true,
      fromText: parseLora,
      flag: {
        name: '--lora',
        value: 'file[:scale]',
        help: "LoRA to merge in addition to the preset's; repeatable (default scale: 1)",
      },
    },
  ),
  /** Starting point for sampler, steps, guidance, windows, precision and LoRA. @defaultValue 'fast' */
  preset: option(oneOf(PRESETS), {
    description: 'Starting point for sampler, steps, guidance, windows, precision and LoRA.',
    group: 'sampling',
    default: 'fast',
    placeholder: true,
    setting: 'preset',
    flag: {},
  }),
  /** @defaultValue the preset's */
  sampler: option(oneOf(SAMPLERS), {
    description: 'Sampler.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    placeholder: true,
    setting: 'sampler',
    flag: {},
  }),
  /** Denoising steps, 1 to 100 (LCM and TCD: to 50). @defaultValue the preset's */
  steps: option(integer(1, 100), {
    description: `Denoising steps, for lcm and tcd to ${DISTILLED_STEPS}.`,
    group: 'sampling',
    otherwise: FROM_PRESET,
    placeholder: true,
    setting: 'steps',
    flag: { help: 'denoising steps, 1 to 100' },
  }),
  /** Classifier-free guidance scale, 1 to 20; 1 is off. @defaultValue the preset's */
  guidance: option(number(1, 20), {
    description: 'Classifier-free guidance scale; 1 is off.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'guidance',
    flag: { value: 'scale', help: 'classifier-free guidance scale, 1 (off) to 20' },
  }),
  /**
   * Denoises every nth frame only, 1 to 8, and blends the latents of those between; about n times as fast where denoising is
   * most of the work. @defaultValue the preset's
   */
  denoiseEvery: option(integer(1, MAX_DENOISE_EVERY), {
    description: 'Denoises every nth frame and interpolates the frames between.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'every',
    flag: { help: `denoise every nth frame, 1 to ${MAX_DENOISE_EVERY}, and interpolate between` },
  }),
  /**
   * `overlapping` windows are the same at every step; `moving` ones lie side by side and begin elsewhere at each step, which is
   * less work; `loop` is AniPortrait's way. @defaultValue the preset's
   */
  windows: option(oneOf(WINDOW_LAYOUTS), {
    description: 'How the clip is split into context windows.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'windows',
    flag: { value: 'kind', help: 'context windows: overlapping, moving (less work) or loop' },
  }),
  /**
   * What the networks compute in; `auto` is floats as the device prefers them. @defaultValue the preset's where it can be had and
   * makes a clip faster, else 'auto'
   */
  precision: option(oneOf(PRECISIONS), {
    description:
      'Precision of the networks; fast and faster take int8 on CPUs that gain by it, with a calibrated bundle; float32 is the way back.',
    group: 'sampling',
    otherwise: FROM_PRESET,
    setting: 'precision',
    flag: {
      help: 'auto, float32, float16 (GPU) or int8 (CPU, slightly coarser); fast and faster take int8 where it is faster, unless float32 is asked for',
    },
  }),
};
