/** Makes graphs in a worker thread, so that the caller's event loop goes on. */
import type { Bundle } from '../models/bundle.ts';
import { ThreadClient } from '../runtime/thread-client.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import type { GraphRequest, GraphResults } from './graph-worker.ts';
import type { ReadyGraph } from './write-graph.ts';

/** One thread that makes bundles' graphs, one after another. */
export class GraphThread {
  readonly #cacheFolder: string;
  readonly #client = new ThreadClient<GraphRequest, GraphResults>(
    new URL('./graph-worker.ts', import.meta.url),
  );

  /** @param cacheFolder - where weights of large networks are kept. */
  constructor(cacheFolder: string) {
    this.#cacheFolder = cacheFolder;
  }

  /**
   * One network's graph.
   *
   * @param how - `afresh` makes anew what was kept of it.
   * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description.
   * @throws {@link EnvironmentError} if there is no room to keep large weights.
   */
  build(
    bundle: Bundle,
    network: NetworkName,
    options: GraphOptions,
    { afresh = false }: { readonly afresh?: boolean } = {},
  ): Promise<ReadyGraph> {
    const { folder } = bundle;
    const cacheFolder = this.#cacheFolder;
    return this.#client.request({ kind: 'build', bundle: folder, network, options, cacheFolder, afresh });
  }

  /** Ends the thread after the graph that it is making; may be called twice. */
  dispose(): Promise<void> {
    return this.#client.close();
  }
}
