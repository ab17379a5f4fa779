/** Loaded networks that clips share: who needs the same ones gets the same ones. */
import { statSync } from 'node:fs';
import { resolutionOf } from '../models/bundle-size.ts';
import { availableMemory } from '../runtime/available-memory.ts';
import type { Engine } from '../runtime/engine.ts';
import type { ClipNetworks } from './clip-networks.ts';
import { GraphThread } from './graph-thread.ts';
import { LeaseCache } from './lease-cache.ts';
import { loadNetworks } from './load-networks.ts';
import type { NetworksChoice } from './load-options.ts';
import { NetworkShelf } from './network-shelf.ts';

/** Loaded networks that nobody uses and that are kept for the next clip. */
const MAX_IDLE = 1;

/** Share of the memory that is free when the first clip begins; the rest is for frames, films and other programs. */
const TURN_SHARE = 0.7;

/** Bytes for the networks of large bundles that are open at the same time. */
export function turnBytes(): number {
  return availableMemory() * TURN_SHARE;
}

/** Networks for as long as they are needed. */
export interface NetworksLease {
  readonly networks: ClipNetworks;
  /** Gives the networks back; may be called twice. */
  release(): Promise<void>;
}

/** Engines that networks are loaded into. */
interface NetworkEngines {
  readonly denoisingEngine: Engine;
  readonly sideEngine: Engine;
}

/** Options of {@link NetworksCache}. */
interface NetworksCacheOptions {
  /** Called when networks are loaded. */
  readonly engines: () => Promise<NetworkEngines>;
  /** See {@link LoadNetworksOptions}. */
  readonly furtherEngines?: (count: number) => Promise<readonly Engine[]>;
  /** Where weights of large networks are kept on disk. */
  readonly cacheFolder: string;
  /** Called with the networks that went over from half precision to float32. */
  readonly onNotice?: (message: string) => void;
  /** See {@link LoadNetworksOptions}. */
  readonly forOnePortrait?: boolean;
  /** Memory for the networks of large bundles, which take turns. @defaultValue most of what is free */
  readonly turnBytes?: number;
}

/** Equal for choices that give the same networks: a bundle or LoRA that is replaced in its place is another one. */
export function choiceKey(choice: NetworksChoice): string {
  const {
    bundle,
    windowFrames,
    oneAtATime = false,
    loras,
    guided,
    embeddedGuidance,
    precision,
    lowMemory,
  } = choice;
  const resolution = resolutionOf(bundle.description);
  const adapters = loras.map(({ path, scale }) => {
    const { size, mtimeMs, ino } = statSync(path, { throwIfNoEntry: false }) ?? {};
    return [path, scale, size, mtimeMs, ino];
  });
  const form = [resolution, windowFrames, oneAtATime, guided, embeddedGuidance, precision, lowMemory];
  return JSON.stringify([bundle.fingerprint, adapters, ...form]);
}

/** Loads networks once for each choice; those that nobody uses any more go, but for the last. */
export class NetworksCache {
  readonly #options: NetworksCacheOptions;
  readonly #loaded = new LeaseCache<ClipNetworks>({
    maxIdle: MAX_IDLE,
    dispose: (networks) => networks.dispose(),
  });
  readonly #shelf: NetworkShelf;
  #graphs: GraphThread | undefined;
  /** What the graph thread is needed for. */
  #building = 0;

  constructor(options: NetworksCacheOptions) {
    this.#options = options;
    this.#shelf = new NetworkShelf(options.turnBytes ?? turnBytes());
  }

  /** Whether no networks are loaded or being loaded. */
  get isEmpty(): boolean {
    return this.#loaded.isEmpty;
  }

  /**
   * @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph.
   * @throws `signal.reason` if it aborts; what was loaded by then is freed.
   */
  async load(choice: NetworksChoice, signal?: AbortSignal): Promise<NetworksLease> {
    const open = (abandoned: AbortSignal) => this.#load(choice, abandoned);
    const { value, release } = await this.#loaded.acquire(choiceKey(choice), open, signal);
    return { networks: value, release };
  }

  async #load(choice: NetworksChoice, signal: AbortSignal): Promise<ClipNetworks> {
    const { furtherEngines, forOnePortrait, onNotice } = this.#options;
    const engines = await this.#options.engines();
    // A network may be built long after it was loaded: in float32, when half precision was not enough.
    const graphs: Pick<GraphThread, 'build'> = {
      build: (...request) => this.#withGraphs((thread) => thread.build(...request)),
    };
    const shelf = this.#shelf;
    const options = {
      ...choice,
      ...engines,
      furtherEngines,
      forOnePortrait,
      graphs,
      shelf,
      onNotice,
      signal,
    };
    const networks = await this.#withGraphs(() => loadNetworks(options));
    // Clips begin meanwhile; where there is no memory for it, one denoiser does all windows.
    networks.openFurther().catch(() => {});
    return networks;
  }

  async #withGraphs<T>(use: (graphs: GraphThread) => Promise<T>): Promise<T> {
    this.#graphs ??= new GraphThread(this.#options.cacheFolder);
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

  /** Ends the graph thread; the networks themselves go with their engines. */
  async dispose(): Promise<void> {
    await this.#graphs?.dispose();
  }
}
