/** How loud speech is: one gain, and one level of the speaker's voice, for a whole recording. */
import type { MotionConfig } from './motion-config.ts';

const BLOCKS_PER_SECOND = 10;
/** Mean power below which a block is silence, -60 dB of full scale. */
const ABSOLUTE_GATE = 1e-6;
/** Blocks more than 10 dB under the mean of the others are pauses. */
const RELATIVE_GATE = 0.1;
/** Blocks more than 6 dB under the mean of the others are not what a voice is measured by. */
const VOICE_GATE = 10 ** -0.6;

/**
 * Gain that brings the speech in `pcm` to the configured level; 1 for silence.
 *
 * Source: the two gates are those of programme loudness in ITU-R BS.1770, here on blocks of 100 ms without weighting.
 */
export function loudnessGain(pcm: Float32Array, config: MotionConfig): number {
  const powers = blockPowers(pcm, config);
  if (powers.length === 0) return 1;
  const gate = RELATIVE_GATE * mean(powers);
  const level = Math.sqrt(mean(powers.filter((power) => power >= gate)));
  return Math.min(config.targetLevel / level, config.maxGain);
}

/**
 * Mean power of the speaker's louder sounds, full scale being 1; that of the configured level for silence. Unlike the level that gives the
 * gain, it hardly depends on others in the background, though they be heard for longer: the gate rises until all that is left is within 6 dB.
 */
export function voicePower(pcm: Float32Array, config: MotionConfig): number {
  let blocks = blockPowers(pcm, config);
  if (blocks.length === 0) return config.targetLevel ** 2;
  for (;;) {
    const power = mean(blocks);
    const louder = blocks.filter((block) => block >= VOICE_GATE * power);
    if (louder.length === blocks.length) return power;
    blocks = louder;
  }
}

/** Of all blocks that are not silent. */
function blockPowers(pcm: Float32Array, config: MotionConfig): number[] {
  const size = Math.floor(config.sampleRate / BLOCKS_PER_SECOND);
  const powers: number[] = [];
  for (let from = 0; from < pcm.length; from += size) {
    const to = Math.min(from + size, pcm.length);
    let sum = 0;
    for (let i = from; i < to; i++) sum += pcm[i]! ** 2;
    if (sum / (to - from) > ABSOLUTE_GATE) powers.push(sum / (to - from));
  }
  return powers;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
