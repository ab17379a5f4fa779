/** What the thread of {@link GraphThread} does: makes one graph for each message. */
import { type BundleState, reopenBundle } from '../models/bundle.ts';
import { serveThread } from '../runtime/thread-server.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import { type GraphOptions, type NetworkMaker, openGraph } from './bundle-graphs.ts';
import { type ReadyGraph, writeGraph } from './write-graph.ts';

/** A graph that is wanted. */
export interface GraphRequest {
  readonly kind: 'build';
  readonly bundle: BundleState;
  /** One that the thread has a maker for. */
  readonly network: string;
  readonly options: GraphOptions;
  /** Where weights of large networks are kept. */
  readonly cacheFolder: string;
  /** Rebuilds graphs that are in the cache. */
  readonly rebuild: boolean;
}

/** What a request is answered with. */
export interface GraphResults {
  readonly build: ReadyGraph;
}

/** Answers the requests of a {@link GraphThread} for the networks that there are makers for. */
export function serveGraphs(makers: Readonly<Record<string, NetworkMaker>>): void {
  serveThread<GraphRequest>({
    order: 'one-by-one',
    handle: async ({ bundle: state, network, options, cacheFolder, rebuild }) => {
      const maker = makers[network];
      if (maker === undefined) throw new Error(`no maker of ${network}`);
      const bundle = await reopenBundle(state);
      const { graph, precision, weightsKey, dispose } = openGraph(bundle, maker, options);
      try {
        const cache = new WeightCache({ folder: cacheFolder });
        const written = await writeGraph(graph, { cache, weightsKey, rebuild });
        const result = { ...written, precision, keepsConstants: options.halfWeights ?? false };
        return { result, transfer: [result.model.buffer as ArrayBuffer] };
      } finally {
        dispose();
      }
    },
  });
}
