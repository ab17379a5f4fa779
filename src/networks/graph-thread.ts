/** Makes graphs in a worker thread, so that the caller's event loop keeps running. */

import path from 'node:path';
import { ownUrl } from '../files/own-file.ts';
import { type Bundle, bundleState } from '../models/bundle.ts';
import { ThreadClient } from '../runtime/thread-client.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import { GraphCache, graphKey } from './graph-cache.ts';
import type { GraphRequest, GraphResults } from './serve-graphs.ts';
import type { ReadyGraph } from './write-graph.ts';

/** Folder of small graphs in the folder of the weights. */
const SMALL = 'graphs';

/** Where graphs of small networks are kept. */
export function smallGraphs(cacheFolder: string): string {
  return path.join(cacheFolder, SMALL);
}

/**
 * One thread that makes bundles' graphs, one after another; it starts for the first that is not kept already. `Name` is the union of the
 * networks that it can make.
 */
export class GraphThread<Name extends string = NetworkName> {
  readonly #cacheFolder: string;
  readonly #worker: URL | undefined;
  #client: ThreadClient<GraphRequest, GraphResults> | undefined;

  /**
   * @param cacheFolder - where weights of large networks, and graphs of small ones, are kept.
   * @param worker - the thread's script, which calls `serveGraphs` with makers of every `Name`, and whose graphs are not kept. @defaultValue
   *   that of a clip's networks
   */
  constructor(cacheFolder: string, worker?: URL) {
    this.#cacheFolder = cacheFolder;
    this.#worker = worker;
  }

  /**
   * One network's graph.
   *
   * @param how - `rebuild` makes graphs again that are in the cache.
   * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description, or if the bundle was
   *   replaced since it was opened.
   * @throws {@link EnvironmentError} if there is no room to keep large weights.
   */
  async build(
    bundle: Bundle,
    network: Name,
    options: GraphOptions,
    { rebuild = false }: { readonly rebuild?: boolean } = {},
  ): Promise<ReadyGraph> {
    const cacheFolder = this.#cacheFolder;
    // Graphs that are made by other makers have keys of their own, which nobody has.
    const keep =
      this.#worker === undefined
        ? { folder: smallGraphs(cacheFolder), key: await graphKey(bundle, network, options) }
        : undefined;
    const cache = keep && new GraphCache(keep.folder);
    const make = async (): Promise<ReadyGraph> => {
      const kept = rebuild ? await cache?.discard(keep!.key) : await cache?.find(keep!.key);
      return kept ?? this.#make(request);
    };
    const request = {
      kind: 'build',
      bundle: bundleState(bundle),
      network,
      options,
      cacheFolder,
      rebuild,
      keep,
    } as const;
    return cache === undefined || options.device !== 'cpu'
      ? make()
      : cache.optimised(keep!.key, make, { rebuild });
  }

  #make(request: GraphRequest): Promise<ReadyGraph> {
    this.#client ??= new ThreadClient(this.#worker ?? ownUrl('./graph-worker.ts', import.meta.url));
    return this.#client.request(request);
  }

  /** Ends the thread after the graph that it is making; may be called twice. */
  async dispose(): Promise<void> {
    await this.#client?.close();
  }
}
