/**
 * Moments at which something happens by chance: blinks, changes of posture, glances. Their intervals are log-normal, as
 * those of people are. They are drawn in spans of half a minute, each by itself, so that any moment of a long clip is found
 * without those before it.
 */
import { RandomStream } from '../tensor/random.ts';

/** Seconds of a span. */
const SPAN = 30;
const KEPT_SPANS = 4;

/** A moment, with a key that names random streams of its own. */
export interface RandomEvent {
  /** In seconds. */
  readonly time: number;
  readonly key: readonly number[];
}

/** Options of {@link RandomEvents}. */
interface RandomEventsOptions {
  /** Names the events, e.g. `[seed, stream]`. */
  readonly key: readonly number[];
  /** Of the intervals, in seconds. */
  readonly median: number;
  /** Standard deviation of the intervals' logarithm. */
  readonly spread: number;
  /** Intervals in seconds are held to these. */
  readonly least: number;
  readonly most: number;
}

/** See above. */
export class RandomEvents {
  readonly #options: RandomEventsOptions;
  readonly #spans = new Map<number, readonly RandomEvent[]>();

  constructor(options: RandomEventsOptions) {
    this.#options = options;
  }

  /** Events at `from` ≤ time < `to`, in order. */
  between(from: number, to: number): RandomEvent[] {
    const found: RandomEvent[] = [];
    for (let span = Math.floor(from / SPAN); span * SPAN < to; span++) {
      for (const event of this.#of(span)) if (event.time >= from && event.time < to) found.push(event);
    }
    return found;
  }

  #of(span: number): readonly RandomEvent[] {
    let events = this.#spans.get(span);
    if (events === undefined) {
      // Where two spans meet, events keep the distance as well.
      const before = this.#draw(span - 1).at(-1)!.time;
      events = this.#draw(span).filter(({ time }) => time - before >= this.#options.least);
      this.#spans.set(span, events);
      if (this.#spans.size > KEPT_SPANS) this.#spans.delete(this.#spans.keys().next().value!);
    }
    return events;
  }

  #draw(span: number): RandomEvent[] {
    const { key, median, spread, least, most } = this.#options;
    const random = new RandomStream([...key, span]);
    const interval = (): number =>
      Math.min(most, Math.max(least, median * Math.exp(spread * random.normal())));
    const events: RandomEvent[] = [];
    let time = span * SPAN + random.uniform() * interval();
    while (time < (span + 1) * SPAN) {
      events.push({ time, key: [...key, span, events.length] });
      time += interval();
    }
    return events;
  }
}

/** Something that events are drawn to. */
export interface Attractor {
  /** In seconds. */
  readonly time: number;
  /** 0 to 1: share of the events within reach that it gets. */
  readonly pull: number;
}

/** Options of {@link attractEvents}. */
interface AttractOptions {
  /** Seconds to either side within which an event is drawn. */
  readonly reach: number;
  /** Events that would come closer to each other than this, in seconds, become one. */
  readonly least: number;
  /** Attractors at `from` ≤ time < `to`. */
  readonly attractors: (from: number, to: number) => readonly Attractor[];
}

/** The events at `from` ≤ time < `to`, in order, those near to an attractor moved there. */
export function attractEvents(
  events: RandomEvents,
  from: number,
  to: number,
  { reach, least, attractors }: AttractOptions,
): RandomEvent[] {
  const margin = reach + least;
  const near = attractors(from - 2 * reach - least, to + 2 * reach + least);
  const moved = events.between(from - margin - reach, to + margin + reach).map((event) => {
    let best: Attractor | undefined;
    for (const attractor of near) {
      const distance = Math.abs(attractor.time - event.time);
      if (distance <= reach && distance < Math.abs((best?.time ?? Number.POSITIVE_INFINITY) - event.time)) {
        best = attractor;
      }
    }
    const drawn = best !== undefined && new RandomStream([...event.key, 0x6174]).uniform() < best.pull;
    return drawn ? { ...event, time: best!.time } : event;
  });
  moved.sort((a, b) => a.time - b.time || compareKeys(a.key, b.key));
  // Of two that are too close the later goes; decided pair by pair, so that it does not matter where the list begins.
  return moved.filter(
    ({ time }, i) => time >= from && time < to && !(i > 0 && time - moved[i - 1]!.time < least),
  );
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}
