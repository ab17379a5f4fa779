/** The frames of a clip that somebody waits for, on their way to the picture: nothing else needs the cores more. */
export class FirstShown {
  readonly #count: number;
  readonly #shown: Promise<void>;
  #done = 0;
  #finish: () => void = () => {};

  /**
   * @param count - frames at the beginning.
   * @param signal - ends the waiting.
   */
  constructor(count: number, signal: AbortSignal) {
    this.#count = count;
    this.#shown = new Promise((resolve) => {
      this.#finish = resolve;
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Another frame has been encoded. */
  frameDone(): void {
    this.#done += 1;
    if (this.#done >= this.#count) this.#finish();
  }

  /**
   * Until all of them have been encoded; at once where that needs more than there is.
   *
   * @param available - frames that will be encoded without another one being denoised.
   */
  async until(available: number): Promise<void> {
    if (available >= this.#count) await this.#shown;
  }
}
