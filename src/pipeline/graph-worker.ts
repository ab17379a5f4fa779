/** The thread that {@link GraphThread} starts: opens each bundle once, then makes one graph for each message. */
import { type Bundle, openBundle } from '../models/bundle.ts';
import { serveThread } from '../runtime/thread-server.ts';
import { buildBundleGraph, type GraphOptions, type NetworkName } from './bundle-graphs.ts';

/** A graph that is wanted. */
export interface GraphRequest {
  readonly kind: 'build';
  /** Folder of the bundle. */
  readonly bundle: string;
  readonly network: NetworkName;
  readonly options: GraphOptions;
}

/** What a request is answered with. */
export interface GraphResults {
  readonly build: Uint8Array;
}

const bundles = new Map<string, Bundle>();

serveThread<GraphRequest>({
  order: 'one-by-one',
  handle: async ({ bundle: folder, network, options }) => {
    const bundle = bundles.get(folder) ?? (await openBundle(folder));
    bundles.set(folder, bundle);
    const graph = buildBundleGraph(bundle, network, options);
    return { result: graph, transfer: [graph.buffer as ArrayBuffer] };
  },
});
