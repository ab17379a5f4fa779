/** What a piece of work has opened and will close, whatever happens in between. */

/** Closes what it holds, the last that was added first. */
export class Holdings {
  readonly #closers: (() => unknown)[] = [];

  /** Keeps in mind how to close `thing`. @returns it */
  hold<T>(thing: T, close: (thing: T) => unknown): T {
    this.#closers.push(() => close(thing));
    return thing;
  }

  /** Closes everything, also after one that fails. @throws what the first that failed was. */
  async closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
