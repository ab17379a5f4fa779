/** Makes graphs in a worker thread, so that the caller's event loop keeps running. */

import { ownUrl } from '../files/own-file.ts';
import type { Bundle } from '../models/bundle.ts';
import { ThreadClient } from '../runtime/thread-client.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import type { GraphRequest, GraphResults } from './serve-graphs.ts';
import type { ReadyGraph } from './write-graph.ts';

/** One thread that makes bundles' graphs, one after another; `Name` is the union of the networks that it can make. */
export class GraphThread<Name extends string = NetworkName> {
  readonly #cacheFolder: string;
  readonly #client: ThreadClient<GraphRequest, GraphResults>;

  /**
   * @param cacheFolder - where weights of large networks are kept.
   * @param worker - the thread's script, which calls `serveGraphs` with makers of every `Name`. @defaultValue that of a
   *   clip's networks
   */
  constructor(cacheFolder: string, worker = ownUrl('./graph-worker.ts', import.meta.url)) {
    this.#cacheFolder = cacheFolder;
    this.#client = new ThreadClient(worker);
  }

  /**
   * One network's graph.
   *
   * @param how - `rebuild` makes graphs again that are in the cache.
   * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description, or if the bundle was
   *   replaced since it was opened.
   * @throws {@link EnvironmentError} if there is no room to keep large weights.
   */
  build(
    bundle: Bundle,
    network: Name,
    options: GraphOptions,
    { rebuild = false }: { readonly rebuild?: boolean } = {},
  ): Promise<ReadyGraph> {
    const { folder, fingerprint } = bundle;
    const cacheFolder = this.#cacheFolder;
    const request = {
      kind: 'build',
      bundle: { folder, fingerprint },
      network,
      options,
      cacheFolder,
    } as const;
    return this.#client.request({ ...request, rebuild });
  }

  /** Ends the thread after the graph that it is making; may be called twice. */
  dispose(): Promise<void> {
    return this.#client.close();
  }
}
