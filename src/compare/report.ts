/** What a comparison found: the contents of report.json. Times are seconds on the monotonic clock. */

import type { Spread } from '../metrics/series.ts';
import type { Change } from '../metrics/temporal-change.ts';
import type { PrecisionChoice, SamplerName, WindowLayout } from '../pipeline/animate-options.ts';
import type { MachineFacts } from './machine-facts.ts';
import type { MatrixLimit } from './matrix-limit.ts';

/** What `report.json` calls itself, and the version of its contents; a change that breaks readers raises it. */
export const REPORT_SCHEMA = 'lcm-portrait/compare';
/** See {@link REPORT_SCHEMA}. */
export const REPORT_VERSION = 1;

/**
 * How the denoiser is computed: `lean`, as `animate` does, or `published`, as AniPortrait's program does: both guidance branches
 * in one batch, the unconditional one twice, the reference projected at every step for every frame, pose features at
 * every step. The results are equal.
 */
type ComputationForm = 'lean' | 'published';

/** Parts of a job that are timed, in their order. */
export const TIMED_STAGES = ['prepare', 'load', 'reference', 'pose', 'denoise', 'decode', 'encode'] as const;
/** One of {@link TIMED_STAGES}. */
export type TimedStage = (typeof TIMED_STAGES)[number];

/** Settings that take part in a comparison. */
export interface VariantSettings {
  /** Name in the report and of its video. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  readonly sampler: SamplerName;
  /** Denoising steps. */
  readonly steps: number;
  /** Weight of classifier-free guidance; 1 is off. */
  readonly guidance: number;
  /** Every nth frame is denoised, those between are blended. */
  readonly every: number;
  readonly windows: WindowLayout;
  /** Adapters that are merged into the denoiser. */
  readonly loras: readonly string[];
  readonly form: ComputationForm;
  /** What the networks compute in, where it is not what the device is best at. */
  readonly precision?: Exclude<PrecisionChoice, 'auto'>;
  /** Whether `--sweep` asked for it. */
  readonly swept: boolean;
}

/** Multiplications and additions of convolutions, matrix products and attentions over the whole clip. */
export interface Work {
  readonly reference: number;
  readonly pose: number;
  readonly denoise: number;
  readonly decode: number;
}

/** What was measured of one variant. */
export interface VariantReport extends VariantSettings {
  /** Evaluations of the denoiser for the clip, guidance branches counted singly. */
  readonly denoiserEvaluations: number;
  readonly work: Work;
  /** Repeats that were finished. */
  readonly repeats: number;
  /** Seconds of each stage for the clip, and their sum; one stage after another, nothing overlaps. */
  readonly times: Readonly<Record<TimedStage | 'total', Spread>>;
  /** Seconds of one run of the denoiser on a window: of both branches where the form is `published`. */
  readonly run: Spread;
  /** Denoiser's FLOP/s in its runs, by the median, and its share of {@link MatrixLimit}. */
  readonly denoiserFlops: number;
  readonly limitShare: number;
  /** Seconds of the whole job with its stages overlapping, from nothing loaded to the finished file; if asked for. */
  readonly wholeJob?: Spread;
  /** Mean absolute second difference in time of its frames, in levels of 255. */
  readonly flicker: Change;
  /** Mouth opening in its frames against the motion that drives it. */
  readonly mouth: MouthAgreement;
  /** Mean over frames; in units of the eye distance, against the driving landmarks. NaN is null in JSON. */
  readonly drivingLandmarkDistance: number;
  /** Frames without a face. */
  readonly missingFaces: number;
  /** Cosine of face embeddings with the portrait, mean over sample frames; only with the optional network. */
  readonly identity?: number;
  /** Relative to the report. */
  readonly video: string;
}

/** How a mouth follows what drives it. */
export interface MouthAgreement {
  /** Pearson's correlation, −1 to 1. */
  readonly correlation: number;
  /** Frames; above 0, the picture comes later. */
  readonly lag: number;
  /** Standard deviation of the opening that is found over that of the driving one. */
  readonly amplitude: number;
}

/** A variant that was stopped before its first repeat was finished. */
export interface UnfinishedVariant extends VariantSettings {
  readonly denoiserEvaluations: number;
  readonly evaluationsDone: number;
}

/** Pictures of one variant against another's, frame by frame. */
export interface PictureAgreement {
  /** dB, of the mean error of all frames; infinity, null in JSON, for equal frames. */
  readonly psnr: number;
  /** Mean over frames, at most 1. */
  readonly ssim: number;
  /** The same over five scales. Null where the pictures are too small for five scales. */
  readonly msSsim: number | null;
}

/** One variant against the one that it is measured by. */
export interface Comparison {
  readonly of: string;
  readonly against: string;
  /** Time of `against` over time of `of`: above 1, `of` is faster. Medians over repeats that were measured side by side. */
  readonly speedUp: {
    readonly denoise: Spread;
    /** Sum of the stages. */
    readonly total: Spread;
    readonly wholeJob?: Spread;
    readonly evaluations: number;
    /** Of the denoiser and the pose guider. */
    readonly work: number;
  };
  readonly whole: PictureAgreement;
  readonly face: PictureAgreement;
  /** The same for every frame. */
  readonly frames: readonly {
    readonly psnr: number;
    readonly ssim: number;
    readonly msSsim: number | null;
    readonly facePsnr: number;
    readonly faceSsim: number;
  }[];
  /** Mean over frames, in units of the eye distance. */
  readonly landmarkDistance: number;
  /** Flicker of `of` over that of `against`. */
  readonly flickerRatio: Change;
  /** Largest difference of a channel, in levels of 255. */
  readonly largestLevelDifference: number;
  /** Largest difference of the denoised latents, whose deviation is about 1; only where equal output is expected. */
  readonly largestLatentDifference?: number;
}

/** Contents of `report.json`; numbers that are not finite are null there. */
export interface CompareReport {
  readonly schema: typeof REPORT_SCHEMA;
  readonly schemaVersion: typeof REPORT_VERSION;
  /** ISO 8601. */
  readonly created: string;
  /** False if it was stopped before every variant had all repeats. */
  readonly complete: boolean;
  readonly machine: MachineFacts;
  readonly limit: MatrixLimit;
  readonly clip: {
    readonly portrait: string;
    readonly audio: string;
    readonly bundle: string;
    readonly seed: number;
    readonly frames: number;
    /** Frames a second. */
    readonly fps: number;
    /** Seconds. */
    readonly duration: number;
    /** Of the video, in pixels. */
    readonly width: number;
    readonly height: number;
    readonly windows: number;
    readonly windowFrames: number;
    /** The face's box over the clip, in pixels. */
    readonly face: {
      readonly left: number;
      readonly top: number;
      readonly right: number;
      readonly bottom: number;
    };
  };
  readonly repeats: number;
  readonly variants: readonly VariantReport[];
  readonly unfinished: readonly UnfinishedVariant[];
  readonly comparisons: readonly Comparison[];
  readonly notes: readonly string[];
}
