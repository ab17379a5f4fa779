/** What the main job takes, reports and returns. */
import type { SeenFace } from '../face/portrait-face.ts';
import type { PrecisionChoice, WindowLayout } from '../models/bundle-terms.ts';
import type { Sampler } from '../schedulers/create-scheduler.ts';
import type { CLIP_OPTIONS } from './options/clip-options.ts';
import type { OptionsOf } from './options/option-spec.ts';

export type { PrecisionChoice, PresetName, WindowLayout } from '../models/bundle-terms.ts';
export type { DeviceChoice as DeviceName } from '../runtime/device.ts';
export type { Framing } from '../scene/framing.ts';
export type { Sampler as SamplerName } from '../schedulers/create-scheduler.ts';
export type { ProgressEvent, RenderingProgress, Stage, TrackingProgress } from './progress-event.ts';

/** Options of {@link animate}; each is described where it is defined, in {@link CLIP_OPTIONS}. */
export interface AnimateOptions extends OptionsOf<typeof CLIP_OPTIONS> {}

/** Seconds spent in each part of a job; parts overlap, so they may add up to more than `total`. */
export interface StageTimes {
  readonly prepare: number;
  readonly motion: number;
  readonly load: number;
  readonly reference: number;
  readonly pose: number;
  readonly denoise: number;
  readonly decode: number;
  readonly encode: number;
  readonly total: number;
}

/** What {@link animate} returns. */
export interface AnimateResult {
  /** The video. */
  readonly output: string;
  readonly frames: number;
  readonly fps: number;
  /** Seconds of video. */
  readonly duration: number;
  readonly width: number;
  readonly height: number;
  readonly device: string;
  readonly bundle: string;
  readonly sampler: Sampler;
  readonly steps: number;
  readonly guidance: number;
  readonly seed: number;
  readonly windowLayout: WindowLayout;
  /** What the denoiser computed in; with int8, convolutions and linear layers alone. */
  readonly precision: Exclude<PrecisionChoice, 'auto'>;
  /** Of `frames`; the others were blended. */
  readonly denoisedFrames: number;
  /** Evaluations of the denoiser, guidance branches counted singly. */
  readonly denoiserEvaluations: number;
  readonly times: StageTimes;
}

/** What {@link planAnimation} finds without rendering. */
export interface AnimationPlan {
  readonly frames: number;
  readonly fps: number;
  readonly duration: number;
  /** Of `frames`; the others are blended. */
  readonly denoisedFrames: number;
  /** Windows of the step that has most. */
  readonly windows: number;
  readonly windowLayout: WindowLayout;
  readonly precision: Exclude<PrecisionChoice, 'auto'>;
  readonly width: number;
  readonly height: number;
  readonly device: string;
  readonly bundle: string;
  readonly sampler: Sampler;
  readonly steps: number;
  readonly guidance: number;
  readonly denoiserEvaluations: number;
  /** From the FLOPs of the work and a short measurement on this machine, as busy as it is now. */
  readonly estimatedSeconds: number;
  /** Seconds of all cores together, which other programs change little. */
  readonly estimatedProcessorSeconds: number;
  readonly estimatedMemoryBytes: number;
  /** All faces of the portrait, from the left, in pixels of the file; a film has none here. */
  readonly faces?: readonly SeenFace[];
  readonly notices: readonly string[];
}
