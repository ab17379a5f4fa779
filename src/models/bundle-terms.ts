/** Words of `bundle.json`, many of which options of a clip have, too: each list is written down here alone. */

/**
 * How a clip is cut into windows. `overlapping`: the same windows at every step, each sharing some frames with the next;
 * `moving`: windows side by side that begin elsewhere at each step; `loop`: overlapping ones that go round the end of the
 * clip to its beginning, as AniPortrait's do.
 */
export const WINDOW_LAYOUTS = ['overlapping', 'moving', 'loop'] as const;
/** One of {@link WINDOW_LAYOUTS}. */
export type WindowLayout = (typeof WINDOW_LAYOUTS)[number];

/**
 * What networks compute in: `auto` is float16 on GPUs that have it, else float32; `int8` is for CPUs and bundles with a
 * calibration.
 */
export const PRECISIONS = ['auto', 'float32', 'float16', 'int8'] as const;
/** One of {@link PRECISIONS}. */
export type PrecisionChoice = (typeof PRECISIONS)[number];

/**
 * Named settings of a bundle: few steps with LCM-LoRA; the same with all that makes a clip faster at little cost in the
 * picture; the original sampler. A bundle has at least one of them.
 */
export const PRESETS = ['fast', 'faster', 'original'] as const;
/** One of {@link PRESETS}. */
export type PresetName = (typeof PRESETS)[number];

/** Of frames, only every nth is denoised: the largest n. */
export const MAX_DENOISE_EVERY = 8;

/** Parts of a bundle that are files. */
export const BUNDLE_PARTS = [
  'denoisingUnet',
  'referenceUnet',
  'poseGuider',
  'codec',
  'motion',
  'imageEncoder',
  'audio2mesh',
  'audio2pose',
  'lcmLora',
  'calibration',
] as const;
/** One of {@link BUNDLE_PARTS}. */
export type BundlePart = (typeof BUNDLE_PARTS)[number];

/**
 * How the pose guider of AniPortrait is run. `P0` is what the published program does: pixels of 0…255 as 2v − 1, batch
 * norms with the window's own statistics. `P1`: pixels of 0…1, as in training. `P2`: pixels of 0…1 and stored statistics,
 * so that a frame's features depend on that frame alone.
 */
export const POSE_GUIDER_VARIANT_NAMES = ['P0', 'P1', 'P2'] as const;
/** One of {@link POSE_GUIDER_VARIANT_NAMES}. */
export type PoseGuiderVariant = (typeof POSE_GUIDER_VARIANT_NAMES)[number];

/** What each variant stands for. */
export const POSE_GUIDER_VARIANTS: Readonly<
  Record<PoseGuiderVariant, { readonly pixelRange: 1 | 255; readonly batchStatistics: boolean }>
> = {
  P0: { pixelRange: 255, batchStatistics: true },
  P1: { pixelRange: 1, batchStatistics: true },
  P2: { pixelRange: 1, batchStatistics: false },
};
