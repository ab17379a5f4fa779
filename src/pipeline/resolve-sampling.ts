/**
 * How a clip is sampled: a preset's settings with the caller's on top, and what follows from them. The render, the variants of
 * a comparison and the content key, by which a clip is found again, all ask here.
 */
import path from 'node:path';
import { type PlannedFrames, planFrames } from '../denoising/plan-frames.ts';
import { InvalidOptionError } from '../errors.ts';
import { type Bundle, type BundlePreset, loraFilesOf } from '../models/bundle.ts';
import type { PrecisionChoice, PresetName, WindowLayout } from '../models/bundle-terms.ts';
import {
  createScheduler,
  DISTILLED_SAMPLERS,
  DISTILLED_STEPS,
  type Sampler,
} from '../schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../schedulers/noise-schedule.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { LoraFile } from '../weights/lora.ts';
import type { ResolvedOptions } from './resolve-options.ts';

/** What a preset says of sampling, and a caller may say in its place. */
interface SamplingSettings {
  readonly sampler: Sampler;
  readonly steps: number;
  /** 1 is off. */
  readonly guidance: number;
  readonly windows: WindowLayout;
  /** Every nth frame is denoised. */
  readonly denoiseEvery: number;
  /** What is asked for; the bundle or the device may not have it. */
  readonly precision: PrecisionChoice;
}

/** Settings, and what follows from them with a bundle. */
export interface Sampling extends SamplingSettings {
  /** Evaluations of the denoiser for each step: guidance takes two, unless it is an input. */
  readonly branches: 1 | 2;
  /** Adapters of the denoising UNet: the preset's, then the caller's. */
  readonly loras: readonly LoraFile[];
  readonly scheduler: Scheduler;
  /** Which frames of a clip of so many are denoised, and how. */
  readonly planFrames: (frames: number) => PlannedFrames;
}

/** @throws {@link InvalidOptionError} if the bundle has no preset of the name. */
export function presetOf({ description: { name, presets } }: Bundle, wanted: PresetName): BundlePreset {
  const preset = presets[wanted];
  if (preset !== undefined) return preset;
  const problem = { expected: `one of bundle ${name}, ${Object.keys(presets).join(', ')}`, got: wanted };
  throw new InvalidOptionError(problem, 'preset', wanted);
}

/** The caller's settings, and the preset's where there are none. */
export function chooseSettings(
  preset: BundlePreset,
  chosen: { readonly [Key in keyof SamplingSettings]?: SamplingSettings[Key] | undefined } = {},
): SamplingSettings {
  return {
    sampler: chosen.sampler ?? preset.sampler,
    steps: chosen.steps ?? preset.steps,
    guidance: chosen.guidance ?? preset.guidance,
    windows: chosen.windows ?? preset.windows ?? 'overlapping',
    denoiseEvery: chosen.denoiseEvery ?? preset.denoiseEvery ?? 1,
    precision: chosen.precision ?? preset.precision ?? 'auto',
  };
}

/** Evaluations of the denoiser for each step: guidance takes two, unless it is an input. */
export function guidanceBranches({ description }: Bundle, guidance: number): 1 | 2 {
  return guidance > 1 && !description.denoisingUnet.timeCondProjDim ? 2 : 1;
}

/** @throws {@link InvalidOptionError} if `int8` is asked of a bundle whose activations were not measured. */
export function checkBundlePrecision(precision: PrecisionChoice, { description }: Bundle): void {
  if (precision !== 'int8' || description.files.calibration !== undefined) return;
  const problem = {
    refusal: ['Cannot use ', { option: 'precision' }, ` ${precision}`],
    expected: 'a bundle with a calibration',
    got: `bundle ${description.name}, which has none`,
    hint: `take float32, or measure one with: lcm-portrait models calibrate ${description.name}`,
  };
  throw new InvalidOptionError(problem, 'precision', precision);
}

/**
 * What is asked of a bundle: the caller's choice, or the preset's where the bundle has it, and has it for the LoRAs.
 *
 * @throws {@link InvalidOptionError} if the caller asks for what the bundle does not have.
 */
export function bundlePrecision(
  bundle: Bundle,
  { precision, loras = [] }: Partial<Pick<ResolvedOptions, 'precision' | 'loras'>>,
  preset: BundlePreset,
  notice: (message: string) => void,
): PrecisionChoice {
  if (precision !== undefined) {
    checkBundlePrecision(precision, bundle);
    return precision;
  }
  const wanted = preset.precision ?? 'auto';
  if (wanted !== 'int8') return wanted;
  const leaveOut = (why: string): PrecisionChoice => {
    notice(`the preset's precision is left out: ${why}`);
    return 'auto';
  };
  if (bundle.description.files.calibration === undefined) {
    return leaveOut(`bundle ${bundle.description.name} has no calibration for int8`);
  }
  if (loras.length > 0) {
    return leaveOut(
      'the ranges for int8 were measured without these LoRAs; precision int8 takes them all the same',
    );
  }
  return wanted;
}

/** Settings of a preset with the scheduler and the evaluations that they need. */
export function samplingWith(
  bundle: Bundle,
  preset: PresetName,
  settings: SamplingSettings,
  loras: readonly LoraFile[],
): Sampling {
  const { schedule } = bundle.description;
  const scheduler = createScheduler({
    sampler: settings.sampler,
    numInferenceSteps: settings.steps,
    noiseSchedule: createNoiseSchedule(schedule),
    predictionType: schedule.predictionType,
    timestepSpacing: schedule.timestepSpacing,
  });
  const branches = guidanceBranches(bundle, settings.guidance);
  return {
    ...settings,
    branches,
    loras,
    scheduler,
    planFrames: (frames) => planClip(bundle, preset, { ...settings, branches }, frames),
  };
}

/**
 * How a clip is sampled.
 *
 * @param notice - called if the preset asks for a precision that the bundle does not have.
 * @throws {@link InvalidOptionError} if the bundle does not have the preset, or what the caller asks for, or the sampler
 *   cannot take that many steps.
 */
export function resolveSampling(
  bundle: Bundle,
  options: Pick<ResolvedOptions, 'preset' | 'loras' | keyof SamplingSettings>,
  notice: (message: string) => void,
): Sampling {
  const preset = presetOf(bundle, options.preset);
  const settings = chooseSettings(preset, options);
  const { sampler, steps } = settings;
  if (DISTILLED_SAMPLERS.has(sampler) && steps > DISTILLED_STEPS) {
    const problem = {
      expected: [
        `at most ${DISTILLED_STEPS} with ${sampler}, the sampler of `,
        { option: 'preset' },
        ` ${options.preset}`,
      ],
      got: String(steps),
      hint: ['set ', { option: 'sampler' }, ' for more'],
    };
    throw new InvalidOptionError(problem, 'steps', steps);
  }
  const loras = [
    ...loraFilesOf(bundle, preset),
    ...(options.loras ?? []).map(({ path: file, scale }) => ({ path: path.resolve(file), scale })),
  ];
  const precision = bundlePrecision(bundle, options, preset, notice);
  return samplingWith(bundle, options.preset, { ...settings, precision }, loras);
}

/** What decides which frames are denoised, and in which windows. */
type WindowSettings = Pick<Sampling, 'steps' | 'branches' | 'windows' | 'denoiseEvery'>;

/** Denoised frames, and windows over them for each step. */
export function planClip(
  { description }: Bundle,
  preset: PresetName,
  { steps, branches, windows, denoiseEvery }: WindowSettings,
  frames: number,
): PlannedFrames {
  const { contextFrames, contextOverlap, presets } = description;
  const loopOverlap = branches === 2 ? 'mean' : (presets[preset]?.unguidedOverlap ?? 'mean');
  const size = { contextFrames, contextOverlap, loopOverlap } as const;
  return planFrames(frames, { ...size, every: denoiseEvery, layout: windows, steps });
}
