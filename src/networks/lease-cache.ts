/** Things that are slow to open, shared by those who need the same one, and disposed of when nobody has needed them for a while. */

/** Something for as long as it is needed. */
export interface Lease<T> {
  readonly value: T;
  /** Gives it back; may be called twice. */
  release(): Promise<void>;
}

/** Options of {@link LeaseCache}. */
interface LeaseCacheOptions<T> {
  /** Values that nobody uses and that are kept for the next who might. */
  readonly maxIdle: number;
  /** Frees a value; may be called twice for one. */
  readonly dispose: (value: T) => Promise<void>;
}

interface Entry<T> {
  readonly value: Promise<T>;
  /** Aborts opening when nobody waits for it any more. */
  readonly controller: AbortController;
  users: number;
}

/** Opens one value for each key; each is either in use, kept for the next user, or disposed of. */
export class LeaseCache<T> {
  readonly #options: LeaseCacheOptions<T>;
  /** Those used last come last. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor(options: LeaseCacheOptions<T>) {
    this.#options = options;
  }

  /** Whether nothing is open or being opened. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /**
   * The value of a key, opened unless it is there.
   *
   * @param open - its signal aborts when all who wait for the value have been aborted; what it opens all the same is disposed of.
   * @throws what `open` throws; the next who asks opens it again.
   * @throws `signal.reason` if it aborts, when `open` has ended or while others wait for it.
   */
  async acquire(
    key: string,
    open: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<Lease<T>> {
    signal?.throwIfAborted();
    const entry = this.#entries.get(key) ?? this.#begin(open);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users += 1;
    let held = true;
    const leave = (): void => {
      if (held) entry.users -= 1;
      held = false;
    };
    const forget = (): void => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    const stop = (): void => {
      leave();
      if (entry.users > 0) return;
      forget();
      entry.controller.abort(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const value = await entry.value;
      // The abort may come after the opener's last check.
      if (entry.controller.signal.aborted) await this.#options.dispose(value);
      signal?.throwIfAborted();
      const release = async (): Promise<void> => {
        leave();
        await this.#trim();
      };
      return { value, release };
    } catch (error) {
      leave();
      if (entry.users === 0) forget();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #begin(open: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const controller = new AbortController();
    return { value: open(controller.signal), controller, users: 0 };
  }

  async #trim(): Promise<void> {
    const idle = [...this.#entries].filter(([, { users }]) => users === 0);
    for (const [key, { value }] of idle.slice(0, Math.max(0, idle.length - this.#options.maxIdle))) {
      this.#entries.delete(key);
      await this.#options.dispose(await value);
    }
  }
}
