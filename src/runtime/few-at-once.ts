/** Keeps the queue of a thread short: what is asked for later and wanted sooner waits for no more than a few requests there. */
export class FewAtOnce {
  readonly #count: number;
  #running = 0;
  /** Who waits for a place, longest first. */
  readonly #waiting: (() => void)[] = [];

  /** @param count - requests that are on their way at the same time, 1 or more. */
  constructor(count: number) {
    this.#count = count;
  }

  /** The result of `work`, which begins when it has a place; those that wait get theirs in their order. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#count) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next(); // gets the place
    }
  }
}
