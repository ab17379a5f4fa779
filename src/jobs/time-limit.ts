/** A limit on the time that a job works, without the time that it waits for others. Timers follow the monotonic clock. */

/** Longer than this is no limit that a timer can keep at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Stands still until {@link TimeLimit.start}, and between {@link TimeLimit.stop} and the next start. */
export class TimeLimit {
  readonly #onEnd: () => void;
  #leftMs: number;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param seconds - undefined for no limit. */
  constructor(seconds: number | undefined, onEnd: () => void) {
    this.#leftMs = seconds === undefined ? Number.POSITIVE_INFINITY : seconds * 1000;
    this.#onEnd = onEnd;
  }

  start(): void {
    if (this.#timer !== undefined || this.#leftMs > MAX_TIMER_MS) return;
    this.#since = performance.now();
    this.#timer = setTimeout(this.#onEnd, Math.max(0, this.#leftMs));
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftMs -= performance.now() - this.#since;
  }
}
