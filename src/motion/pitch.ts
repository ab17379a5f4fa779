/**
 * Fundamental frequency of a voice at one moment.
 *
 * Source: de Cheveigné and Kawahara 2002, "YIN, a fundamental frequency estimator for speech and music", steps 1 to 5.
 */

/** Frequencies in Hz between which voices are looked for. */
const LOWEST_PITCH = 62;
const HIGHEST_PITCH = 500;
/** Step 4: the first dip below this is taken, so that its multiples are not. */
const DIP = 0.15;

/** What {@link PitchFinder.find} returns. */
export interface Pitch {
  /** In Hz; meaningless where `periodicity` is low. */
  readonly frequency: number;
  /** 1 for a perfectly periodic signal, about 0 for noise; 0 for digital silence. */
  readonly periodicity: number;
}

/** A function of its own: the compiler would be at the whole of {@link PitchFinder.find} again for every moment. */
function differenceAt(samples: Float32Array, from: number, to: number, lag: number): number {
  let difference = 0;
  for (let i = from; i < to; i++) {
    const change = samples[i]! - samples[i + lag]!;
    difference += change * change;
  }
  return difference;
}

/** Finds the pitch of pieces of {@link PitchFinder.length} samples, for one sample rate. */
export class PitchFinder {
  /** Samples that one estimate looks at: the integration window and the longest period. */
  readonly length: number;
  readonly #sampleRate: number;
  readonly #shortest: number;
  readonly #longest: number;
  readonly #window: number;
  /** Normalised difference by lag, reused from call to call. */
  readonly #dips: Float64Array;

  /** @param sampleRate - in Hz; 8000 is enough for voices, and cheap. */
  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    this.#shortest = Math.floor(sampleRate / HIGHEST_PITCH);
    this.#longest = Math.ceil(sampleRate / LOWEST_PITCH);
    this.#window = Math.round(0.03 * sampleRate);
    this.length = this.#window + this.#longest + 1;
    this.#dips = new Float64Array(this.#longest + 2);
  }

  /** Pitch of `samples` from index `from` on; `from + length` may not pass their end. */
  find(samples: Float32Array, from: number): Pitch {
    const dips = this.#dips;
    dips[0] = 1;
    let sum = 0;
    for (let lag = 1; lag <= this.#longest + 1; lag++) {
      // Step 2, the difference function; step 3, its mean over shorter lags as the unit.
      const difference = differenceAt(samples, from, from + this.#window, lag);
      sum += difference;
      dips[lag] = sum > 0 ? (difference * lag) / sum : 1;
    }
    let best = this.#shortest;
    for (let lag = this.#shortest; lag <= this.#longest; lag++) {
      if (dips[lag]! < dips[best]!) best = lag;
      if (dips[lag]! < DIP && dips[lag + 1]! >= dips[lag]!) {
        best = lag;
        break;
      }
    }
    // Step 5: the dip lies between samples.
    const [left, middle, right] = [dips[best - 1]!, dips[best]!, dips[best + 1]!];
    const curvature = left - 2 * middle + right;
    const shift = curvature > 0 ? Math.max(-0.5, Math.min(0.5, (left - right) / (2 * curvature))) : 0;
    return { frequency: this.#sampleRate / (best + shift), periodicity: Math.max(0, 1 - middle) };
  }
}
