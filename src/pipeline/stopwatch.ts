/** Adds up the time that each part of a job takes, on the monotonic clock. */
import { monotonicNow, type NamedSpan } from '../runtime/time-span.ts';
import type { StageTimes } from './animate-options.ts';

/** Parts that are timed; the total is the stopwatch's own age. */
type TimedPart = Exclude<keyof StageTimes, 'total'>;

/** Runs from its construction, but for pauses. Parts may overlap; pieces of one part that do count once. */
export class Stopwatch {
  readonly #record: ((span: NamedSpan) => void) | undefined;
  #begin = performance.now();
  #paused: number | undefined;
  readonly #parts: Record<TimedPart, number> = {
    prepare: 0,
    motion: 0,
    load: 0,
    reference: 0,
    pose: 0,
    denoise: 0,
    decode: 0,
    encode: 0,
  };

  /** By part: pieces that have begun, and until when they are counted. */
  readonly #running = new Map<TimedPart, { pieces: number; until: number }>();

  /** @param record - receives every piece of {@link Stopwatch.time} when it has ended, named as its part. */
  constructor(record?: (span: NamedSpan) => void) {
    this.#record = record;
  }

  /** Seconds since the start, without pauses. */
  now(): number {
    return ((this.#paused ?? performance.now()) - this.#begin) / 1000;
  }

  /** Stands still until {@link Stopwatch.resume}: the job waits for its turn. */
  pause(): void {
    this.#paused ??= performance.now();
  }

  /** Goes on after {@link Stopwatch.pause}. */
  resume(): void {
    if (this.#paused !== undefined) this.#begin += performance.now() - this.#paused;
    this.#paused = undefined;
  }

  /** Adds seconds to a part. */
  add(part: TimedPart, seconds: number): void {
    this.#parts[part] += seconds;
  }

  /** Times `work` as a piece of `part`; what is done while the job waits for its turn counts as well. */
  async time<T>(part: TimedPart, work: () => Promise<T>): Promise<T> {
    const start = this.#record && monotonicNow();
    const running = this.#running.get(part) ?? { pieces: 0, until: 0 };
    this.#running.set(part, running);
    const count = (change: 1 | -1): void => {
      const now = this.now();
      if (running.pieces > 0) this.add(part, now - running.until);
      running.until = now;
      running.pieces += change;
    };
    count(1);
    try {
      return await work();
    } finally {
      count(-1);
      if (start !== undefined) this.#record?.({ name: part, begin: start, end: monotonicNow() });
    }
  }

  /** All parts and the total, in seconds. */
  report(): StageTimes {
    return { ...this.#parts, total: this.now() };
  }
}
