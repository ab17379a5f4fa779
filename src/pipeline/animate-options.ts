/** What the main job takes, reports and returns. */
import type { PrecisionChoice, WindowLayout } from '../models/bundle-description.ts';
import type { Framing } from '../scene/framed-face.ts';
import type { LoraFile } from '../weights/lora.ts';

export type { PrecisionChoice, WindowLayout } from '../models/bundle-description.ts';
export type { Framing } from '../scene/framed-face.ts';

/** Samplers that a clip can be denoised with. */
export type SamplerName = 'lcm' | 'ddim' | 'dpmsolver' | 'tcd' | 'euler';
/** Where the networks run; `auto` takes the first that opens. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | 'webgpu' | 'coreml' | 'dml';
/**
 * Named settings of a bundle: few steps with LCM-LoRA; the same with all that makes a clip faster at little cost in the
 * picture; the original sampler.
 */
export type PresetName = 'fast' | 'faster' | 'original';

/** Options of {@link animate}. */
export interface AnimateOptions {
  /** Picture with one clear face. */
  readonly portrait: string;
  /** Speech, in any file that ffmpeg can read sound from. */
  readonly audio: string;
  /** Video to write: `.mp4`, `.m4v` or `.mov`. */
  readonly output: string;
  /** Folder of a bundle, or the name of an embedded or installed one. @defaultValue 'tiny' */
  readonly bundle?: string;
  /** Folder of installed bundles. @defaultValue the user's */
  readonly bundleStore?: string;
  /** LoRAs to merge into the denoising UNet, after those of the preset. @defaultValue none */
  readonly loras?: readonly LoraFile[];
  /** Starting point for sampler, steps, guidance, windows, precision and LoRA. @defaultValue 'fast' */
  readonly preset?: PresetName;
  /** @defaultValue the preset's */
  readonly sampler?: SamplerName;
  /** Denoising steps, 1 to 100 (LCM and TCD: to 50). @defaultValue the preset's */
  readonly steps?: number;
  /** Classifier-free guidance scale, 1 to 20; 1 is off. @defaultValue the preset's */
  readonly guidance?: number;
  /**
   * Denoises every nth frame only, 1 to 8, and blends the latents of those between; about n times as fast where denoising is
   * most of the work. @defaultValue the preset's
   */
  readonly denoiseEvery?: number;
  /**
   * `overlapping` windows are the same at every step; `moving` ones lie side by side and begin elsewhere at each step, which is
   * less work; `loop` is AniPortrait's way. @defaultValue the preset's
   */
  readonly windows?: WindowLayout;
  /** Seed of noise, head motion and blinks, 0 to 2^53 − 1. @defaultValue 42 */
  readonly seed?: number;
  /** Frames a second, 1 to 120. @defaultValue the bundle's */
  readonly fps?: number;
  /** @defaultValue 'auto' */
  readonly device?: DeviceName;
  /** @defaultValue the preset's, or 'auto' where it cannot be had */
  readonly precision?: PrecisionChoice;
  /** Threads of the engine, 1 to 256. @defaultValue one for each core */
  readonly threads?: number;
  /** @defaultValue 'paste-back' */
  readonly framing?: Framing;
  /** Strength of facial expression, 0 to 3. @defaultValue 1 */
  readonly expressionScale?: number;
  /** Strength of lip and jaw motion on top of it, 0 to 3. @defaultValue 1 */
  readonly mouthScale?: number;
  /** Strength of head motion, 0 to 3. @defaultValue 1 */
  readonly headPoseScale?: number;
  /** Strength of blinks, 0 to 1. @defaultValue 1 */
  readonly blinkScale?: number;
  /** Keeps the head where it is in the portrait. @defaultValue false */
  readonly still?: boolean;
  /** Replaces an existing output. @defaultValue false */
  readonly overwrite?: boolean;
  /** Program to use instead of the one that is found. */
  readonly ffmpegPath?: string;
  /** Cancels the job; {@link animate} rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** Called on the caller's thread, in order. */
  readonly onProgress?: (event: ProgressEvent) => void;
}

/** Parts of the job in the order in which they begin. */
export type Stage = 'prepare' | 'motion' | 'load' | 'render' | 'finish';

/** What {@link AnimateOptions.onProgress} receives. */
export type ProgressEvent =
  | { readonly type: 'stage'; readonly stage: Stage }
  | {
      readonly type: 'frames';
      /** Frames handed to the encoder so far, and in all. */
      readonly framesDone: number;
      readonly framesTotal: number;
      /** Denoiser steps done and in all, over all windows; moves between frames. */
      readonly stepsDone: number;
      readonly stepsTotal: number;
      /** Frames a second since rendering began, 0 until known. */
      readonly framesPerSecond: number;
      /** Seconds until the end of the job, from the pace so far; undefined until known. */
      readonly remaining?: number;
    }
  | { readonly type: 'notice'; readonly message: string };

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
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidance: number;
  readonly seed: number;
  readonly windowLayout: WindowLayout;
  readonly precision: PrecisionChoice;
  /** Of `frames`; the others were blended. */
  readonly denoisedFrames: number;
  /** Evaluations of the denoiser, guidance halves counted singly. */
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
  readonly precision: PrecisionChoice;
  readonly width: number;
  readonly height: number;
  readonly device: string;
  readonly bundle: string;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidance: number;
  readonly denoiserEvaluations: number;
  /** Seconds, from the FLOPs of the work and a short measurement on this machine. */
  readonly estimatedSeconds: number;
  readonly estimatedMemoryBytes: number;
  readonly notices: readonly string[];
}
