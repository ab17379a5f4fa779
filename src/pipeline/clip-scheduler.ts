/**
 * Which clip may do what, and when. The denoiser runs one clip at a time; while it does, a second gets its networks and its
 * first pose features ready, and a third has its last frames decoded and encoded. First come, first served.
 */

/** Clips that are past their preparation and not yet complete. */
const RENDERING = 3;
/** Clips that hold networks for denoising: the one that is denoised, and one that waits for it. */
const HOLDING_NETWORKS = 2;

/** A number of places that are given in the order in which they were asked for. */
class Places {
  readonly count: number;
  #free: number;
  readonly #waiting: { readonly places: number; readonly take: () => void }[] = [];

  constructor(count: number) {
    this.count = count;
    this.#free = count;
  }

  /**
   * Waits for one place, or for several at once.
   *
   * @returns a function that gives them back; it may be called twice.
   * @throws `signal.reason` if it aborts; no place is taken then.
   */
  async acquire(signal?: AbortSignal, places = 1): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#waiting.length === 0 && this.#free >= places) this.#free -= places;
    else await this.#turn(places, signal);
    let held = true;
    return () => {
      if (held) this.#release(places);
      held = false;
    };
  }

  #turn(places: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        // Those behind it may need fewer places.
        this.#release(0);
        reject(signal!.reason);
      };
      const take = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const waiting = { places, take };
      this.#waiting.push(waiting);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #release(places: number): void {
    this.#free += places;
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || next.places > this.#free) return;
      this.#waiting.shift();
      this.#free -= next.places;
      next.take();
    }
  }
}

/** What one clip holds of the scheduler. */
export interface ClipTurn {
  /** Waits until no other clip is denoised. @throws `signal.reason` if it aborts. */
  acquireDenoiser(signal?: AbortSignal): Promise<void>;
  /** The clip needs the denoiser and its networks no more: the next one may be denoised, and another get ready. */
  releaseDenoiser(): void;
  /** Gives everything back; may be called twice. */
  release(): void;
}

/** All places and turns of a studio. */
export class ClipScheduler {
  readonly #rendering = new Places(RENDERING);
  readonly #networks = new Places(HOLDING_NETWORKS);
  readonly #denoiser = new Places(1);

  /**
   * Waits until a clip may load its networks.
   *
   * @param options - `alone` waits until no other clip is rendered, and lets none begin: its networks need the memory.
   * @throws `signal.reason` if it aborts.
   */
  async acquire(
    signal?: AbortSignal,
    { alone = false }: { readonly alone?: boolean } = {},
  ): Promise<ClipTurn> {
    const leaveRendering = await this.#rendering.acquire(signal, alone ? this.#rendering.count : 1);
    let leaveNetworks: () => void;
    try {
      leaveNetworks = await this.#networks.acquire(signal);
    } catch (error) {
      leaveRendering();
      throw error;
    }
    let leaveDenoiser: (() => void) | undefined;
    const releaseDenoiser = (): void => {
      leaveDenoiser?.();
      leaveNetworks();
    };
    return {
      acquireDenoiser: async (abort) => {
        leaveDenoiser = await this.#denoiser.acquire(abort);
      },
      releaseDenoiser,
      release: () => {
        releaseDenoiser();
        leaveRendering();
      },
    };
  }
}
