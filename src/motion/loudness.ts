/** How loud speech is: one gain for a whole recording, and a curve of where the voice is strong. */
import type { MotionConfig } from './motion-config.ts';

const BLOCKS_PER_SECOND = 10;
/** Mean power below which a block is silence, -60 dB of full scale. */
const ABSOLUTE_GATE = 1e-6;
/** Blocks more than 10 dB under the mean of the others are pauses. */
const RELATIVE_GATE = 0.1;

/**
 * Gain that brings the speech in `pcm` to the configured level; 1 for silence.
 *
 * Source: the two gates are those of programme loudness in ITU-R BS.1770, here on blocks of 100 ms without weighting.
 */
export function loudnessGain(pcm: Float32Array, config: MotionConfig): number {
  const size = Math.floor(config.sampleRate / BLOCKS_PER_SECOND);
  const powers: number[] = [];
  for (let from = 0; from < pcm.length; from += size) {
    const to = Math.min(from + size, pcm.length);
    let sum = 0;
    for (let i = from; i < to; i++) sum += pcm[i]! ** 2;
    if (sum / (to - from) > ABSOLUTE_GATE) powers.push(sum / (to - from));
  }
  if (powers.length === 0) return 1;
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const gate = RELATIVE_GATE * mean(powers);
  const level = Math.sqrt(mean(powers.filter((power) => power >= gate)));
  return Math.min(config.targetLevel / level, config.maxGain);
}

/** Points of {@link voiceStrength} per second. */
const STRENGTH_RATE = 25;

/**
 * Strength of the voice, 25 values per second from time 0: root mean square over 200 ms as a share of the target level,
 * smoothed over half a second and held to 0…2.
 *
 * @param gain - of {@link loudnessGain}.
 */
export function voiceStrength(pcm: Float32Array, gain: number, config: MotionConfig): Float32Array {
  const hop = config.sampleRate / STRENGTH_RATE;
  const count = Math.floor(pcm.length / hop) + 1;
  const raw = new Float32Array(count);
  for (let point = 0; point < count; point++) {
    const from = Math.max(0, Math.round((point - 2.5) * hop));
    const to = Math.min(pcm.length, Math.round((point + 2.5) * hop));
    let sum = 0;
    for (let i = from; i < to; i++) sum += pcm[i]! ** 2;
    const level = to > from ? Math.sqrt(sum / (to - from)) * gain : 0;
    raw[point] = Math.min(2, level / config.targetLevel);
  }
  const smooth = new Float32Array(count);
  const reach = STRENGTH_RATE / 4;
  for (let point = 0; point < count; point++) {
    let sum = 0;
    let total = 0;
    for (let lag = -Math.floor(reach); lag <= reach; lag++) {
      const weight = 0.5 + 0.5 * Math.cos((Math.PI * lag) / (reach + 1));
      sum += weight * (raw[point + lag] ?? 0);
      total += weight;
    }
    smooth[point] = sum / total;
  }
  return smooth;
}

/** Value of a curve of {@link voiceStrength} at `time` in seconds; 0 after its end. */
export function strengthAt(strength: Float32Array, time: number): number {
  const position = Math.max(0, time * STRENGTH_RATE);
  const index = Math.floor(position);
  const left = strength[index] ?? 0;
  return left + ((strength[index + 1] ?? 0) - left) * (position - index);
}
