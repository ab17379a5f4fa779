/** Makes graphs in a worker thread, so that the caller's event loop goes on. */
import type { Bundle } from '../models/bundle.ts';
import { ThreadClient } from '../runtime/thread-client.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import type { GraphRequest, GraphResults } from './graph-worker.ts';

/** One thread that makes bundles' graphs, one after another. */
export class GraphThread {
  readonly #client = new ThreadClient<GraphRequest, GraphResults>(
    new URL('./graph-worker.ts', import.meta.url),
  );

  /**
   * Bytes of one network's graph.
   *
   * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description.
   */
  build(bundle: Bundle, network: NetworkName, options: GraphOptions): Promise<Uint8Array> {
    return this.#client.request({ kind: 'build', bundle: bundle.folder, network, options });
  }

  /** Ends the thread after the graph that it is making; may be called twice. */
  dispose(): Promise<void> {
    return this.#client.close();
  }
}
