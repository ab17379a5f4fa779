/**
 * Who speaks near the microphone: other people in the background are heard where the speaker pauses, and what they say is speech to
 * any network. They are recognised by how loud they are: within half a second of every vowel its speaker is nearly as loud as speech is.
 */
import { smoothstep } from './gesture-shapes.ts';
import type { MotionConfig } from './motion-config.ts';
import { movingMean, soundPower } from './sound-power.ts';

/** Decibels, against the speaker's voice, up to which a sound is in the background, and from which on it is the speaker's. */
const BACKGROUND = -9.5;
const FOREGROUND = -7;
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
  /** Power of the speaker's voice, see {@link voicePower}. */
  readonly voice: number;
  /** First output; output `i` belongs to the time `i / outputRate`. */
  readonly first: number;
  readonly count: number;
}

/**
 * `[count]`, 0 where only the background is heard, 1 where the speaker is, at the network's rate. The same whether a clip is made at once or in
 * parts.
 */
export function foregroundShare({ config, pcm, voice, first, count }: ForegroundOptions): Float32Array {
  const margin = Math.max(PAST, FUTURE) + SMOOTH + SPREAD;
  const powers = soundPower({ config, pcm, first: first - margin, count: count + 2 * margin });
  const averaged = movingMean(powers, SPREAD);
  const peaks = averaged.map((_, i) => {
    let peak = 0;
    for (let near = Math.max(0, i - PAST); near <= Math.min(averaged.length - 1, i + FUTURE); near++)
      peak = Math.max(peak, averaged[near]!);
    return peak;
  });
  const shares = peaks.map((power) => {
    const decibels = 10 * Math.log10(Math.max(power, LEAST_POWER) / voice);
    return smoothstep((decibels - BACKGROUND) / (FOREGROUND - BACKGROUND));
  });
  return Float32Array.from(movingMean(shares, SMOOTH).subarray(margin, margin + count));
}
