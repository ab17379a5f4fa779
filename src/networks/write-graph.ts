/** Writes graphs for the engine, and opens them: small ones whole, large ones with their weights in the cache. */
import { ModelError } from '../errors.ts';
import type { NetworkPrecision } from '../models/quantization.ts';
import type { GraphBuilder } from '../onnx/graph.ts';
import type { Engine, KeepingNetwork, Network } from '../runtime/engine.ts';
import type { WeightCache } from '../weights/weight-cache.ts';

/** A graph that an engine can load. */
export interface ReadyGraph {
  /** Its bytes, or the path of the file that holds them. */
  readonly model: Uint8Array | string;
  /** What it computes in, which is not what was asked for where a network keeps to another. */
  readonly precision: NetworkPrecision;
  /** Where its weights lie, if not in the model. */
  readonly dataFolder?: string;
  /** Whether its weights are used as they lie, see {@link LoadOptions}. */
  readonly asStored?: boolean;
  /** Whether nodes that have constants alone for inputs are to stay in the graph: they widen weights. */
  readonly keepsConstants?: boolean;
  /** Whether it is as the engine has optimised it. */
  readonly isOptimised?: boolean;
  /** Where it is to be written to as the engine has optimised it. */
  readonly optimising?: Optimising;
}

/** A graph on its way into a cache. */
export interface Optimising {
  /** File for the engine to write. */
  readonly saveTo: string;
  /** Takes over the file when the engine has written it. */
  keep(): Promise<void>;
}

/** Options of {@link writeGraph}. */
interface WriteGraphOptions {
  readonly cache: WeightCache;
  /** Names the state of the graph's weights. */
  readonly weightsKey: unknown;
  /** Builds again what is in the cache. @defaultValue false */
  readonly rebuild?: boolean;
}

/** Networks below this, as all of the embedded bundle's, are kept whole, see {@link GraphCache}. */
const MIN_CACHED_BYTES = 128e6;
/**
 * From here on, weights are not converted to the layout that convolutions like best: a UNet is slower by 7 %, opens in 4 s
 * instead of a minute, and takes no memory that the system cannot have back.
 */
const MIN_AS_STORED_BYTES = 1e9;

/**
 * @throws {@link ModelError} if a weight file is damaged.
 * @throws {@link EnvironmentError} if the cache is needed and cannot be written.
 */
export async function writeGraph(
  graph: GraphBuilder,
  { cache, weightsKey, rebuild = false }: WriteGraphOptions,
): Promise<ReadyGraph> {
  const bytes = graph.externalTensors().reduce((sum, { length }) => sum + length, 0);
  if (bytes < MIN_CACHED_BYTES) return { model: graph.toBytes(), precision: graph.precision };
  if (rebuild) await cache.discard(weightsKey);
  const { model, folder } = await cache.store(weightsKey, graph);
  return { model, precision: graph.precision, dataFolder: folder, asStored: bytes >= MIN_AS_STORED_BYTES };
}

/** How a network is opened, see {@link Engine.load}. */
interface OpenOptions {
  /** It runs while another network has all cores. */
  readonly sharesCores?: boolean;
  readonly threads?: number | undefined;
}

/**
 * Opens a network in an engine; a cached graph that turns out to be damaged is built again.
 *
 * @param write - writes the graph, see {@link writeGraph}.
 * @throws {@link ModelError} if the engine refuses the graph.
 */
export function loadWritten(
  engine: Pick<Engine, 'load'>,
  name: string,
  write: WriteGraph,
  how: OpenOptions = {},
): Promise<Network> {
  return loadOrRebuild(write, async ({ model, optimising, ...form }) => {
    const saveTo = optimising?.saveTo;
    const network = await engine.load(name, model, { transfer: true, ...loadingOf(form), saveTo, ...how });
    await optimising?.keep();
    return network;
  });
}

/** The same for a network whose outputs stay in the engine, see {@link Engine.loadKeeping}. */
export function loadWrittenKeeping(
  engine: Pick<Engine, 'loadKeeping'>,
  name: string,
  write: WriteGraph,
): Promise<KeepingNetwork> {
  return loadOrRebuild(write, ({ model, ...form }) =>
    engine.loadKeeping(name, model, { transfer: true, ...loadingOf(form) }),
  );
}

type WriteGraph = (how: { readonly rebuild: boolean }) => Promise<ReadyGraph>;

function loadingOf({ dataFolder, asStored, keepsConstants, isOptimised }: Omit<ReadyGraph, 'model'>) {
  return { dataFolder, asStored, keepsConstants, isOptimised };
}

async function loadOrRebuild<T>(write: WriteGraph, load: (graph: ReadyGraph) => Promise<T>): Promise<T> {
  const first = await write({ rebuild: false });
  try {
    return await load(first);
  } catch (error) {
    const wasKept = first.dataFolder !== undefined || typeof first.model === 'string';
    if (!(wasKept || first.optimising !== undefined) || !(error instanceof ModelError)) throw error;
    // What was kept may be damaged where nobody looked, and what was to be kept may have found no room.
    return load(await write({ rebuild: true }));
  }
}
