/**
 * Noise for the latents of a clip, named by what it is for and by its frame: it is the same however the clip is cut into
 * windows, in whatever order they are denoised, and on whichever machine a job is resumed.
 *
 * Source: noise that frames share in part is the mixed noise model of Ge et al. 2023, arXiv:2305.10474, section 4.1.
 */
import { assertIntegerInRange, InvalidOptionError } from '../errors.ts';
import { RandomStream } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What noise is for; streams of different purposes are independent. */
export type NoisePurpose = 'initial-latents' | 'sampler-step';

const PURPOSE_KEYS: Record<NoisePurpose, number> = { 'initial-latents': 1, 'sampler-step': 2 };
/** Stands in for a frame number in the name of the part that all frames share. */
const SHARED = -1;

/** Options of {@link noiseForFrames}. */
export interface NoiseOptions {
  /** An integer from 0 to 2^53 − 1. */
  readonly seed: number;
  readonly purpose: NoisePurpose;
  /** Denoising step that the noise is for; 0 for initial latents. */
  readonly step: number;
  /** First frame, counted from the clip's first. */
  readonly start: number;
  /** Number of frames. */
  readonly count: number;
  /** `[channels, height, width]` of one frame's latents. */
  readonly frameShape: readonly [channels: number, height: number, width: number];
  /**
   * Part of the variance that all frames of a step have in common, from 0 to below 1: less flicker, as neighbours start
   * out more alike.
   * @defaultValue 0
   */
  readonly sharedFraction?: number;
}

/**
 * Draws noise for consecutive frames. Each value is from N(0, 1); with `sharedFraction` s, values at the same place of
 * two frames correlate by s.
 *
 * @returns `[1, channels, count, height, width]`
 * @throws {@link InvalidOptionError} if an option is out of range.
 */
export function noiseForFrames(options: NoiseOptions): Tensor {
  const { seed, purpose, step, start, count, frameShape, sharedFraction = 0 } = options;
  const [channels, height, width] = frameShape;
  assertIntegerInRange('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  assertIntegerInRange('start', start, 0, 2 ** 31 - 1);
  assertIntegerInRange('count', count, 1, 2 ** 31 - 1);
  if (!(sharedFraction >= 0 && sharedFraction < 1)) {
    throw new InvalidOptionError(
      `Cannot use sharedFraction: expected a number from 0 to below 1, got ${sharedFraction}`,
      'sharedFraction',
      sharedFraction,
    );
  }
  const draw = (frame: number, out: Float32Array): Float32Array =>
    new RandomStream([seed, PURPOSE_KEYS[purpose], step, frame]).fillNormal(out);

  const area = height * width;
  const own = new Float32Array(channels * area);
  const shared = sharedFraction > 0 ? draw(SHARED, new Float32Array(own.length)) : undefined;
  const sharedScale = Math.sqrt(sharedFraction);
  const ownScale = Math.sqrt(1 - sharedFraction);
  const data = new Float32Array(channels * count * area);
  for (let i = 0; i < count; i++) {
    draw(start + i, own);
    if (shared !== undefined) {
      for (let k = 0; k < own.length; k++) own[k] = sharedScale * shared[k]! + ownScale * own[k]!;
    }
    for (let channel = 0; channel < channels; channel++) {
      const plane = own.subarray(channel * area, (channel + 1) * area);
      data.set(plane, (channel * count + i) * area);
    }
  }
  return { data, dims: [1, channels, count, height, width] };
}
