/** Events for a reader that may be slow, or not there at all. */

/** A queue that is read with `for await`; what is not read yet waits. */
export class EventStream<T> implements AsyncIterable<T> {
  readonly #mayReplace: (waiting: T, next: T) => boolean;
  #waiting: T[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** @param mayReplace - whether a waiting event is of no use any more once `next` is there: memory stays bounded. */
  constructor(mayReplace: (waiting: T, next: T) => boolean = () => false) {
    this.#mayReplace = mayReplace;
  }

  push(event: T): void {
    if (this.#ended) return;
    const last = this.#waiting.findLastIndex((waiting) => this.#mayReplace(waiting, event));
    if (last >= 0) this.#waiting.splice(last, 1);
    this.#waiting.push(event);
    this.#wake?.();
  }

  /** No more events; with `failure`, the reader's loop throws it. */
  end(failure?: { readonly error: unknown }): void {
    this.#failure = failure;
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      const events = this.#waiting;
      this.#waiting = [];
      yield* events;
      if (this.#waiting.length > 0) continue;
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
