/** What the thread of {@link GraphThread} does: makes one graph for each message. */
import { type BundleState, reopenBundle } from '../models/bundle.ts';
import { serveThread } from '../runtime/thread-server.ts';
import { WeightCache } from '../weights/weight-cache.ts';
import { type GraphOptions, type NetworkMaker, openGraph } from './bundle-graphs.ts';
import { GraphCache, graphKey } from './graph-cache.ts';
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
  /** Where small graphs are kept, and what this one is kept under; undefined where it is not. */
  readonly keep: { readonly folder: string; readonly key: string } | undefined;
}

/** What a request is answered with. */
export interface GraphResults {
  readonly build: ReadyGraph;
}

/** Answers the requests of a {@link GraphThread} for the networks that there are makers for. */
export function serveGraphs(makers: Readonly<Record<string, NetworkMaker>>): void {
  serveThread<GraphRequest>({
    order: 'one-by-one',
    handle: async ({ bundle: state, network, options, cacheFolder, rebuild, keep }) => {
      const maker = makers[network];
      if (maker === undefined) throw new Error(`no maker of ${network}`);
      const bundle = await reopenBundle(state);
      const { graph, precision, weightsKey, dispose } = openGraph(bundle, maker, options);
      try {
        const cache = new WeightCache({ folder: cacheFolder });
        const written = await writeGraph(graph, { cache, weightsKey, rebuild });
        const made = { ...written, precision, keepsConstants: options.halfWeights ?? false };
        const isSmall = made.dataFolder === undefined;
        // A file may have been replaced while it was read.
        const isKept =
          isSmall && keep !== undefined && keep.key === (await graphKey(bundle, network, options));
        const result = isKept ? new GraphCache(keep.folder).keep(keep.key, made) : made;
        const { model } = result;
        return { result, transfer: typeof model === 'string' ? [] : [model.buffer as ArrayBuffer] };
      } finally {
        dispose();
      }
    },
  });
}
