/**
 * Who speaks near the microphone: other people in the background are heard where the speaker pauses, and what they say is speech to
 * any network. They are recognised by how loud they are: within half a second of every vowel its speaker is nearly as loud as speech is.
 */
import type { MotionConfig } from './motion-config.ts';

/** Decibels, against the level of the speech, up to which a sound is in the background, and from which on it is the speaker's. */
const BACKGROUND = -7;
const FOREGROUND = -4;
/** The loudest of so many outputs before a moment and after it counts: mouths open before they are heard. */
const PAST = 15;
const FUTURE = 25;
/** Outputs to either side over which the result is smoothed. */
const SMOOTH = 2;
/** Outputs to either side over which power is averaged. */
const SPREAD = 1;
const LEAST_POWER = 1e-12;

/** Options of {@link foregroundShare}. */
interface ForegroundOptions {
  readonly config: MotionConfig;
  /** The whole clip's speech. */
  readonly pcm: Float32Array;
  /** What brings it to the configured level, see {@link loudnessGain}. */
  readonly gain: number;
  /** First output; output `i` belongs to the time `i / outputRate`. */
  readonly first: number;
  readonly count: number;
}

/**
 * `[count]`, 0 where only the background is heard, 1 where the speaker is, at the network's rate. The same whether a clip is made at once or in
 * parts.
 */
export function foregroundShare({ config, pcm, gain, first, count }: ForegroundOptions): Float32Array {
  const step = config.hop * config.stemStride;
  const margin = Math.max(PAST, FUTURE) + SMOOTH + SPREAD;
  const powers = Float64Array.from({ length: count + 2 * margin }, (_, i) =>
    blockPower(pcm, (first - margin + i - 0.5) * step, step),
  );
  const averaged = movingMean(powers, SPREAD);
  const peaks = averaged.map((_, i) => {
    let peak = 0;
    for (let near = Math.max(0, i - PAST); near <= Math.min(averaged.length - 1, i + FUTURE); near++)
      peak = Math.max(peak, averaged[near]!);
    return peak;
  });
  const reference = (config.targetLevel / gain) ** 2;
  const shares = peaks.map((power) => {
    const decibels = 10 * Math.log10(Math.max(power, LEAST_POWER) / reference);
    const share = Math.min(1, Math.max(0, (decibels - BACKGROUND) / (FOREGROUND - BACKGROUND)));
    return share * share * (3 - 2 * share);
  });
  return Float32Array.from(movingMean(shares, SMOOTH).subarray(margin, margin + count));
}

/** Mean power of `length` samples from `start` on; silence is assumed before and after the clip. */
function blockPower(pcm: Float32Array, start: number, length: number): number {
  let sum = 0;
  for (let i = Math.max(0, start); i < Math.min(pcm.length, start + length); i++) sum += pcm[i]! ** 2;
  return sum / length;
}

/** Mean of each value and `reach` to either side. */
function movingMean(values: Float64Array, reach: number): Float64Array {
  return values.map((_, i) => {
    const near = values.subarray(Math.max(0, i - reach), i + reach + 1);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}
