/** Times that may be compared between threads. */

/** Milliseconds on {@link monotonicNow}'s clock. */
export interface TimeSpan {
  readonly begin: number;
  readonly end: number;
}

/** A time span of something that has a name. */
export interface NamedSpan extends TimeSpan {
  readonly name: string;
}

/** Milliseconds on a clock that all threads of the process share; `performance.now()` starts at zero in each. */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
