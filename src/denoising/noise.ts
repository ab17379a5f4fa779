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

/** Options of {@link ClipNoise}. */
interface ClipNoiseOptions {
  /** An integer from 0 to 2^53 − 1. */
  readonly seed: number;
  /** `[channels, height, width]` of one frame's latents. */
  readonly frameShape: readonly [channels: number, height: number, width: number];
  /**
   * Part of the variance that all frames of a step have in common, from 0 to below 1: less flicker, as neighbours start
   * out more alike.
   * @defaultValue 0
   */
  readonly sharedFraction?: number;
}

/** The noise of one clip; keeps what all frames of a step share, so that it is drawn once. */
export class ClipNoise {
  readonly #seed: number;
  readonly #frameShape: ClipNoiseOptions['frameShape'];
  readonly #sharedFraction: number;
  /** By purpose and step. */
  readonly #shared = new Map<string, Float32Array>();

  /** @throws {@link InvalidOptionError} if an option is out of range. */
  constructor({ seed, frameShape, sharedFraction = 0 }: ClipNoiseOptions) {
    assertIntegerInRange('seed', seed, 0, Number.MAX_SAFE_INTEGER);
    if (!(sharedFraction >= 0 && sharedFraction < 1)) {
      throw new InvalidOptionError(
        `Cannot use sharedFraction: expected a number from 0 to below 1, got ${sharedFraction}`,
        'sharedFraction',
        sharedFraction,
      );
    }
    this.#seed = seed;
    this.#frameShape = frameShape;
    this.#sharedFraction = sharedFraction;
  }

  #draw(purpose: NoisePurpose, step: number, frame: number): Float32Array {
    const [channels, height, width] = this.#frameShape;
    const stream = new RandomStream([this.#seed, PURPOSE_KEYS[purpose], step, frame]);
    return stream.fillNormal(new Float32Array(channels * height * width));
  }

  /**
   * Draws one frame's noise. Each value is from N(0, 1); with `sharedFraction` s, values at the same place of two frames
   * correlate by s.
   *
   * @param step - denoising step that the noise is for; 0 for initial latents.
   * @param frame - counted from the clip's first.
   * @returns `[1, channels, 1, height, width]`
   * @throws {@link InvalidOptionError} if `frame` is out of range.
   */
  frame(purpose: NoisePurpose, step: number, frame: number): Tensor {
    assertIntegerInRange('frame', frame, 0, 2 ** 31 - 1);
    const [channels, height, width] = this.#frameShape;
    const data = this.#draw(purpose, step, frame);
    if (this.#sharedFraction > 0) {
      const key = `${purpose} ${step}`;
      const shared = this.#shared.get(key) ?? this.#draw(purpose, step, SHARED);
      this.#shared.set(key, shared);
      const sharedScale = Math.sqrt(this.#sharedFraction);
      const ownScale = Math.sqrt(1 - this.#sharedFraction);
      for (let k = 0; k < data.length; k++) data[k] = sharedScale * shared[k]! + ownScale * data[k]!;
    }
    return { data, dims: [1, channels, 1, height, width] };
  }
}

/** Options of {@link noiseForFrames}. */
export interface NoiseOptions extends ClipNoiseOptions {
  readonly purpose: NoisePurpose;
  /** Denoising step that the noise is for; 0 for initial latents. */
  readonly step: number;
  /** First frame, counted from the clip's first. */
  readonly start: number;
  /** Number of frames. */
  readonly count: number;
}

/**
 * The noise of consecutive frames in one tensor, see {@link ClipNoise.frame}.
 *
 * @returns `[1, channels, count, height, width]`
 * @throws {@link InvalidOptionError} if an option is out of range.
 */
export function noiseForFrames({ purpose, step, start, count, ...options }: NoiseOptions): Tensor {
  assertIntegerInRange('count', count, 1, 2 ** 31 - 1);
  const noise = new ClipNoise(options);
  const [channels, height, width] = options.frameShape;
  const area = height * width;
  const data = new Float32Array(channels * count * area);
  for (let i = 0; i < count; i++) {
    const frame = noise.frame(purpose, step, start + i);
    for (let channel = 0; channel < channels; channel++) {
      const plane = frame.data.subarray(channel * area, (channel + 1) * area);
      data.set(plane, (channel * count + i) * area);
    }
  }
  return { data, dims: [1, channels, count, height, width] };
}
