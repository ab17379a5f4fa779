/** The thread that {@link GraphThread} starts: opens each bundle once, then makes one graph for each message. */
import { type Bundle, openBundle } from '../models/bundle.ts';
import { serveThread } from '../runtime/thread-server.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import { type GraphOptions, type NetworkName, openBundleGraph } from './bundle-graphs.ts';
import { type ReadyGraph, writeGraph } from './write-graph.ts';

/** A graph that is wanted. */
export interface GraphRequest {
  readonly kind: 'build';
  /** Folder of the bundle. */
  readonly bundle: string;
  readonly network: NetworkName;
  readonly options: GraphOptions;
  /** Where weights of large networks are kept. */
  readonly cacheFolder: string;
  /** Makes anew what is kept. */
  readonly afresh: boolean;
}

/** What a request is answered with. */
export interface GraphResults {
  readonly build: ReadyGraph;
}

const bundles = new Map<string, Bundle>();

serveThread<GraphRequest>({
  order: 'one-by-one',
  handle: async ({ bundle: folder, network, options, cacheFolder, afresh }) => {
    const bundle = bundles.get(folder) ?? (await openBundle(folder));
    bundles.set(folder, bundle);
    const { graph, precision, weightsKey, dispose } = openBundleGraph(bundle, network, options);
    try {
      const cache = new WeightCache({ folder: cacheFolder });
      const result = { ...(await writeGraph(graph, { cache, weightsKey, afresh })), precision };
      return { result, transfer: [result.model.buffer as ArrayBuffer] };
    } finally {
      dispose();
    }
  },
});
