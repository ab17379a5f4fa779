/** Adds up the time that each part of a job takes, on the monotonic clock. */
import type { StageTimes } from './animate-options.ts';

/** Parts that are timed; the total is the stopwatch's own age. */
export type TimedPart = Exclude<keyof StageTimes, 'total'>;

/** Runs from its construction. Parts may overlap. */
export class Stopwatch {
  readonly #begin = performance.now();
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

  /** Seconds since the start. */
  now(): number {
    return (performance.now() - this.#begin) / 1000;
  }

  /** Adds seconds to a part. */
  add(part: TimedPart, seconds: number): void {
    this.#parts[part] += seconds;
  }

  /** Times `work` as a piece of `part`. */
  async time<T>(part: TimedPart, work: () => Promise<T>): Promise<T> {
    const begin = this.now();
    try {
      return await work();
    } finally {
      this.add(part, this.now() - begin);
    }
  }

  /** All parts and the total, in seconds. */
  report(): StageTimes {
    return { ...this.#parts, total: this.now() };
  }
}
