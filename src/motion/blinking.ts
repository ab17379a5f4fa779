/** When and how eyes blink: every few seconds, closing faster than they open. */
import { RandomStream } from '../tensor/random.ts';

/** Names the random stream of blinks among those of a seed. */
const BLINK_STREAM = 0x626c;
/** Seconds from one blink's begin to the next one's. */
const LEAST_INTERVAL = 2;
const MOST_INTERVAL = 6;
/** Seconds that a blink takes. */
const LEAST_DURATION = 0.14;
const MOST_DURATION = 0.2;
/** Parts of a blink: lids fall, rest, and rise for what is left. */
const CLOSING = 0.34;
const CLOSED = 0.12;

/** How far the eyes are closed at a time in seconds: 0 open, 1 closed. */
export type Blinking = (time: number) => number;

interface Blink {
  readonly start: number;
  readonly duration: number;
  readonly depth: number;
}

/**
 * Blinks of one seed, as a curve over time that any frame rate samples. The first comes after one second at the
 * earliest; what happens at a time does not depend on how long the clip is.
 */
export function createBlinking(seed: number): Blinking {
  const blinks: Blink[] = [];
  const blinkAt = (index: number): Blink => {
    while (blinks.length <= index) {
      const random = new RandomStream([seed, BLINK_STREAM, blinks.length]);
      const previous = blinks.at(-1);
      const span = random.uniform();
      const start =
        previous === undefined
          ? 1 + 2.5 * span
          : previous.start + LEAST_INTERVAL + (MOST_INTERVAL - LEAST_INTERVAL) * span;
      const duration = LEAST_DURATION + (MOST_DURATION - LEAST_DURATION) * random.uniform();
      blinks.push({ start, duration, depth: 0.92 + 0.08 * random.uniform() });
    }
    return blinks[index]!;
  };
  return (time) => {
    // Blinks never overlap, so the last one that has begun decides; intervals bound where it can be.
    let index = Math.max(0, Math.floor((time - 3.5) / MOST_INTERVAL));
    while (blinkAt(index + 1).start <= time) index += 1;
    const { start, duration, depth } = blinkAt(index);
    return depth * blinkProfile((time - start) / duration);
  };
}

/** Closure of the eyes over the course of one blink, `phase` 0 to 1; 0 outside. */
function blinkProfile(phase: number): number {
  if (phase <= 0 || phase >= 1) return 0;
  if (phase < CLOSING) return smoothstep(phase / CLOSING);
  if (phase < CLOSING + CLOSED) return 1;
  return smoothstep((1 - phase) / (1 - CLOSING - CLOSED));
}

function smoothstep(x: number): number {
  return x * x * (3 - 2 * x);
}
