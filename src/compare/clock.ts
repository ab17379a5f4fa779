/** The monotonic clock, in seconds. */

/** Seconds since `begin`, a value of `performance.now()`. */
export function secondsSince(begin: number): number {
  return (performance.now() - begin) / 1000;
}
