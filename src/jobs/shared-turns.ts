/** Turns that many take together, or one alone; who came first is first. */

/** The next in line. */
interface Waiting {
  readonly alone: boolean;
  readonly begin: () => void;
}

/** A lock for readers and writers, in the order in which they come. */
export class SharedTurns {
  readonly #waiting: Waiting[] = [];
  #together = 0;
  #isAlone = false;

  /** Works while others may, too. */
  together<T>(work: () => Promise<T>): Promise<T> {
    return this.#take(false, work);
  }

  /** Works while nobody else does. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#take(true, work);
  }

  async #take<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ alone, begin });
      this.#next();
    });
    try {
      return await work();
    } finally {
      if (alone) this.#isAlone = false;
      else this.#together -= 1;
      this.#next();
    }
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#isAlone || (first.alone && this.#together > 0)) return;
      this.#waiting.shift();
      if (first.alone) this.#isAlone = true;
      else this.#together += 1;
      first.begin();
    }
  }
}
