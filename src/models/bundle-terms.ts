/** Words that `bundle.json` and the options of a clip have in common: each list is written down here alone. */

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
