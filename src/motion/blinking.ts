/** When and how eyes blink: at irregular intervals, mostly where a phrase ends or a glance goes elsewhere. */
import { RandomStream } from '../tensor/random.ts';
import { smoothstep } from './gesture-shapes.ts';
import type { Prosody } from './prosody.ts';
import { type Attractor, attractEvents, type RandomEvent, RandomEvents } from './random-events.ts';

/** Names the random stream of blinks among those of a seed. */
const BLINK_STREAM = 0x626c;
/**
 * Seconds between blinks, log-normal: some 18 a minute. Source: Bentivoglio et al. 1997, "Analysis of blink rate patterns in
 * normal subjects": 26 a minute in conversation, 17 at rest, widely spread; here nearer to the rate before a camera.
 */
const INTERVALS = { median: 2.7, spread: 0.55, least: 0.9, most: 9 };
/** Seconds to either side over which a blink is drawn to an end of a phrase or a glance, and how many are. */
const REACH = 1;
const PULL = 0.75;
/** Seconds from a phrase's end to the blink that it draws. */
const LAG = 0.08;
/** Seconds that a blink takes. */
const LEAST_DURATION = 0.24;
const MOST_DURATION = 0.36;
/** Parts of a blink: lids fall, rest, and rise for what is left. */
const CLOSING = 0.28;
const CLOSED = 0.2;
/** Share of blinks that are followed by a second one, after this many seconds. */
const DOUBLES = 0.07;
const DOUBLE_DISTANCE = 0.4;
/** Lids do not rise wholly between the two. */
const DOUBLE_LENGTH = 0.24;
/** Seconds at the beginning of a clip without a blink. */
const FIRST = 0.5;

/** How far the eyes are closed at a time in seconds: 0 open, 1 closed. */
type Blinking = (time: number) => number;

/** Options of {@link createBlinking}. */
interface BlinkingOptions {
  readonly seed: number;
  readonly prosody: Prosody;
  /** Moments, besides ends of phrases, that draw blinks. @defaultValue none */
  readonly glances?: ((from: number, to: number) => readonly Attractor[]) | undefined;
}

/** Blinks of one seed, as a curve over time that any frame rate samples. */
export function createBlinking({ seed, prosody, glances }: BlinkingOptions): Blinking {
  const events = new RandomEvents({ key: [seed, BLINK_STREAM], ...INTERVALS });
  const attractors = (from: number, to: number): Attractor[] => [
    ...prosody
      .boundaries(from - LAG, to - LAG)
      .filter(({ kind }) => kind === 'end')
      .map(({ time }) => ({ time: time + LAG, pull: PULL })),
    ...(glances?.(from, to) ?? []),
  ];
  return (time) => {
    const lookBack = MOST_DURATION + DOUBLE_DISTANCE + DOUBLE_LENGTH;
    const blinks = attractEvents(events, Math.max(FIRST, time - lookBack), time, {
      reach: REACH,
      least: INTERVALS.least,
      attractors,
    });
    return blinks.reduce((most, blink) => Math.max(most, closureOf(blink, time)), 0);
  };
}

function closureOf({ time: start, key }: RandomEvent, time: number): number {
  const random = new RandomStream([...key, 1]);
  const duration = LEAST_DURATION + (MOST_DURATION - LEAST_DURATION) * random.uniform();
  const first = blinkProfile((time - start) / duration);
  if (random.uniform() >= DOUBLES) return first;
  return Math.max(first, blinkProfile((time - start - DOUBLE_DISTANCE) / DOUBLE_LENGTH));
}

/** Closure of the eyes over the course of one blink, `phase` 0 to 1; 0 outside. */
function blinkProfile(phase: number): number {
  if (phase <= 0 || phase >= 1) return 0;
  if (phase < CLOSING) return smoothstep(phase / CLOSING);
  if (phase < CLOSING + CLOSED) return 1;
  return smoothstep((1 - phase) / (1 - CLOSING - CLOSED));
}
