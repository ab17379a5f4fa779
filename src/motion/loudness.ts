/** How loud speech is: one gain for a whole recording. */
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
