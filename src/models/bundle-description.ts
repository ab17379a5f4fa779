/** What `bundle.json` says: the networks of a bundle, how to sample with them, and the files of their weights. */
import type { Sampler } from '../schedulers/create-scheduler.ts';
import type { AniPortraitAudioConfig } from './audio-config.ts';
import type { PrecisionChoice, PresetName, WindowLayout } from './bundle-terms.ts';
import type { ClipVisionConfig } from './clip-config.ts';
import type { PatchTransformConfig } from './patch-transform.ts';
import type { PoseGuiderConfig } from './pose-guider.ts';
import type { SpatialSize, UnetConfig } from './unet-config.ts';
import type { VaeConfig } from './vae.ts';

/** The version of `bundle.json` that this program reads and writes. */
export const BUNDLE_FORMAT = 1;

/** Parts of a bundle that are files. */
export type BundlePart =
  | 'denoisingUnet'
  | 'referenceUnet'
  | 'poseGuider'
  | 'codec'
  | 'motion'
  | 'imageEncoder'
  | 'audio2mesh'
  | 'audio2pose'
  | 'lcmLora'
  | 'calibration';

/** A file of a bundle. */
export interface BundleFile {
  /** Relative to the bundle's folder. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
  /** @defaultValue the bundle's */
  readonly licence?: string;
  /** Where the weights are from. */
  readonly source?: string;
}

/** A convolutional autoencoder; latents are multiplied with the scaling factor after encoding. */
export interface AutoencoderKlConfig extends VaeConfig {
  readonly type: 'autoencoder-kl';
  readonly scalingFactor: number;
}

/** Between pictures and latents. */
export type CodecConfig = PatchTransformConfig | AutoencoderKlConfig;

/** The speech network of small bundles; `motion/` knows its other members. */
export interface MelMotionDescription {
  readonly type: 'mel-convolution';
  readonly [member: string]: unknown;
}

/** From speech to motion. */
export type MotionDescription = MelMotionDescription | AniPortraitAudioConfig;

/**
 * How the pose guider of AniPortrait is run. `P0` is what the published program does: pixels of 0…255 as 2v − 1, batch
 * norms with the window's own statistics. `P1`: pixels of 0…1, as in training. `P2`: pixels of 0…1 and stored statistics,
 * so that a frame's features depend on that frame alone.
 */
export type PoseGuiderVariant = 'P0' | 'P1' | 'P2';

/** What each variant stands for. */
export const POSE_GUIDER_VARIANTS: Readonly<
  Record<PoseGuiderVariant, { readonly pixelRange: 1 | 255; readonly batchStatistics: boolean }>
> = {
  P0: { pixelRange: 255, batchStatistics: true },
  P1: { pixelRange: 1, batchStatistics: true },
  P2: { pixelRange: 1, batchStatistics: false },
};

/** What the pose guider sees of each frame: the drawn mesh and the warped portrait, or the drawing alone. */
export type PoseConditions =
  | { readonly type: 'drawing-and-warp' }
  | { readonly type: 'drawing'; readonly variant: PoseGuiderVariant };

/** A named way of sampling. */
export interface BundlePreset {
  readonly sampler: Sampler;
  readonly steps: number;
  /** 1 is off. With a guidance embedding it is an input of the denoiser, and there is no second half. */
  readonly guidance: number;
  /** Adapters to merge into the denoising UNet. */
  readonly loras: readonly { readonly part: BundlePart; readonly scale: number }[];
  /** @defaultValue 'overlapping' */
  readonly windows?: WindowLayout;
  /** Denoises every nth frame only, and blends those between. @defaultValue 1 */
  readonly denoiseEvery?: number;
  /** `int8` where there is a calibration and a processor that gains, else as if it were left out. @defaultValue 'auto' */
  readonly precision?: PrecisionChoice;
  /**
   * What looped windows' predictions become without guidance where they overlap: their mean, or their sum, as in
   * AniPortrait, which divides with guidance only.
   *
   * @defaultValue 'mean'
   */
  readonly unguidedOverlap?: 'mean' | 'sum';
}

/** Contents of `bundle.json`. */
export interface BundleDescription {
  readonly formatVersion: number;
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  /** Side of the square that the networks see, in pixels. */
  readonly resolution: number;
  /** Frames a second that the motion modules were trained on. */
  readonly fps: number;
  readonly contextFrames: number;
  readonly contextOverlap: number;
  readonly noise: { readonly sharedFraction: number };
  readonly schedule: {
    readonly betaSchedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
    readonly betaStart: number;
    readonly betaEnd: number;
    readonly zeroTerminalSnr: boolean;
    readonly predictionType: 'epsilon' | 'v_prediction' | 'sample';
    readonly timestepSpacing: 'leading' | 'trailing' | 'linspace';
  };
  readonly codec: CodecConfig;
  /** Null where the UNets have no cross attention. */
  readonly imageEncoder: ClipVisionConfig | null;
  readonly denoisingUnet: UnetConfig;
  readonly poseGuider: PoseGuiderConfig;
  readonly poseConditions: PoseConditions;
  readonly motion: MotionDescription;
  readonly presets: Readonly<Partial<Record<PresetName, BundlePreset>>>;
  readonly files: Readonly<Partial<Record<BundlePart, BundleFile>>>;
}

/** Pixels that one latent cell stands for, in each direction. */
export function pixelsPerCell(codec: CodecConfig): number {
  return codec.type === 'patch-transform' ? codec.patchSize : 2 ** (codec.blockOutChannels.length - 1);
}

/** Size of the latents of one frame. */
export function latentSize({ resolution, codec }: BundleDescription): SpatialSize {
  const cells = resolution / pixelsPerCell(codec);
  return { height: cells, width: cells };
}
