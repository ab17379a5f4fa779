/** Loaded networks that clips share: who needs the same ones gets the same ones. */
import { statSync } from 'node:fs';
import type { Engine } from '../runtime/engine.ts';
import type { NetworksChoice } from './bundle-networks.ts';
import type { ClipNetworks } from './clip-networks.ts';
import { GraphThread } from './graph-thread.ts';
import { loadNetworks } from './load-networks.ts';

/** Loaded networks that nobody uses and that are kept for the next clip. */
const MAX_IDLE = 1;

/** Networks for as long as they are needed. */
export interface NetworksLease {
  readonly networks: ClipNetworks;
  /** Gives the networks back; may be called twice. */
  release(): Promise<void>;
}

interface Entry {
  readonly networks: Promise<ClipNetworks>;
  /** Aborts loading when nobody waits for it any more. */
  readonly controller: AbortController;
  users: number;
}

/** Engines that networks are loaded into. */
interface NetworkEngines {
  readonly denoisingEngine: Engine;
  readonly sideEngine: Engine;
}

/** Equal for choices that give the same networks; a LoRA that is written anew meanwhile is another one. */
export function choiceKey(choice: NetworksChoice): string {
  const { bundle, windowFrames, loras, guided, embeddedGuidance, precision } = choice;
  const adapters = loras.map(({ path, scale }) => {
    const { size, mtimeMs, ino } = statSync(path, { throwIfNoEntry: false }) ?? {};
    return [path, scale, size, mtimeMs, ino];
  });
  return JSON.stringify([bundle.folder, windowFrames, adapters, guided, embeddedGuidance, precision]);
}

/** Loads networks once for each choice; those that nobody uses any more go, but for the last. */
export class NetworksCache {
  readonly #engines: () => Promise<NetworkEngines>;
  readonly #cacheFolder: string;
  readonly #onNotice: ((message: string) => void) | undefined;
  /** Those used last come last. */
  readonly #entries = new Map<string, Entry>();
  #graphs: GraphThread | undefined;
  /** What the graph thread is needed for. */
  #building = 0;

  /**
   * @param engines - called when networks are loaded.
   * @param cacheFolder - where weights of large networks are kept on disk.
   * @param onNotice - told which networks went over from half precision to float32.
   */
  constructor(
    engines: () => Promise<NetworkEngines>,
    cacheFolder: string,
    onNotice?: (message: string) => void,
  ) {
    this.#engines = engines;
    this.#onNotice = onNotice;
    this.#cacheFolder = cacheFolder;
  }

  /** Whether no networks are loaded or being loaded. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /**
   * @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph.
   * @throws `signal.reason` if it aborts.
   */
  async load(choice: NetworksChoice, signal?: AbortSignal): Promise<NetworksLease> {
    signal?.throwIfAborted();
    const key = choiceKey(choice);
    const entry = this.#entries.get(key) ?? this.#begin(choice);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users++;
    let left = false;
    const leave = (): void => {
      if (!left) entry.users--;
      left = true;
    };
    const stop = (): void => {
      leave();
      if (entry.users > 0) return;
      entry.controller.abort(signal?.reason);
      this.#entries.delete(key);
    };
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const networks = await entry.networks;
      signal?.throwIfAborted();
      const release = async (): Promise<void> => {
        leave();
        await this.#trim();
      };
      return { networks, release };
    } catch (error) {
      leave();
      if (this.#entries.get(key) === entry && entry.users === 0) this.#entries.delete(key);
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #begin(choice: NetworksChoice): Entry {
    const controller = new AbortController();
    return { networks: this.#load(choice, controller.signal), controller, users: 0 };
  }

  async #load(choice: NetworksChoice, signal: AbortSignal): Promise<ClipNetworks> {
    const engines = await this.#engines();
    // A network may be built long after it was loaded: in float32, when half precision was not enough.
    const graphs: Pick<GraphThread, 'build'> = {
      build: (...request) => this.#withGraphs((thread) => thread.build(...request)),
    };
    const onNotice = this.#onNotice;
    return this.#withGraphs(() => loadNetworks({ ...choice, ...engines, graphs, onNotice, signal }));
  }

  async #withGraphs<T>(use: (graphs: GraphThread) => Promise<T>): Promise<T> {
    this.#graphs ??= new GraphThread(this.#cacheFolder);
    const graphs = this.#graphs;
    this.#building++;
    try {
      return await use(graphs);
    } finally {
      this.#building--;
      // Between loads the thread would only hold the memory of the weights that it has read.
      if (this.#building === 0) {
        this.#graphs = undefined;
        await graphs.dispose();
      }
    }
  }

  async #trim(): Promise<void> {
    const idle = [...this.#entries].filter(([, { users }]) => users === 0);
    for (const [key, { networks }] of idle.slice(0, Math.max(0, idle.length - MAX_IDLE))) {
      this.#entries.delete(key);
      await (await networks).dispose();
    }
  }

  /** Ends the graph thread; the networks themselves go with their engines. */
  async dispose(): Promise<void> {
    await this.#graphs?.dispose();
  }
}
