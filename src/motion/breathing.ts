/** Breath: a slow rise and fall of the head, never quite regular, that shows in pauses and hardly while speaking. */
import { SmoothNoise } from './smooth-noise.ts';

/** Names the random stream of breathing among those of a seed. */
const BREATH_STREAM = 0x6272;
/** Seconds of a breath at rest, and how far its phase strays from a clock's, in cycles. */
const PERIOD = 3.9;
const STRAY = [{ spacing: 6, variance: 0.12 }];

/** Height of the breath at a time in seconds, −1 (out) to 1 (in). */
type Breathing = (time: number) => number;

/** Breath of one seed. */
export function createBreathing(seed: number): Breathing {
  const noise = new SmoothNoise([seed, BREATH_STREAM], STRAY, 1);
  const stray = new Float64Array(1);
  return (time) => {
    const phase = 2 * Math.PI * (time / PERIOD + noise.at(time, stray)[0]!);
    // In faster than out.
    return Math.sin(phase + 0.35 * Math.sin(phase));
  };
}
