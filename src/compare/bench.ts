/** The engine by itself: how fast each network runs in several settings, for people who tune. */
import { EnvironmentError } from '../errors.ts';
import { type Spread, spreadOf } from '../metrics/series.ts';
import { type Bundle, openBundle } from '../models/bundle.ts';
import type { GraphOptions } from '../pipeline/bundle-graphs.ts';
import { GraphThread } from '../pipeline/graph-thread.ts';
import { defaultBundleStore, defaultCacheFolder } from '../pipeline/open-job.ts';
import { Engine, type NamedTensors, type Network } from '../runtime/engine.ts';
import { RandomStream } from '../tensor/random.ts';
import { elementCount } from '../tensor/tensor.ts';
import {
  BENCH_NETWORKS,
  BENCH_SCHEMA,
  BENCH_VERSION,
  type BenchNetwork,
  type BenchOptions,
  type BenchReport,
  type BenchRow,
  checkBenchOptions,
  FRAMELESS,
} from './bench-options.ts';
import { secondsSince } from './clock.ts';
import { examineMachine } from './machine-facts.ts';
import { measureMatrixLimit } from './matrix-limit.ts';
import { placeUnderRoof, TrafficCounter } from './roofline.ts';
import { networkWork } from './work.ts';

/** Fewer runs give no middle. */
const MIN_RUNS = 3;

interface Setting {
  readonly network: BenchNetwork;
  readonly frames: number;
}

/**
 * Measures every network in every setting.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 * @throws {@link ModelError} if the bundle is damaged or the engine refuses a graph.
 * @throws {@link EnvironmentError} if none of the devices works here.
 * @throws `signal.reason` if it aborts.
 * @example
 * const { rows } = await bench({ networks: ['denoising-unet'], frames: [12] });
 * rows[0]?.achieved; // 6.2e10
 */
export async function bench(options: BenchOptions = {}): Promise<BenchReport> {
  checkBenchOptions(options);
  const { seconds = 1, signal, onProgress, networks = BENCH_NETWORKS, devices = ['auto'] } = options;
  signal?.throwIfAborted();
  const bundle = await openBundle(options.bundle ?? 'tiny', defaultBundleStore());
  const { contextFrames, denoisingUnet } = bundle.description;
  const longest = denoisingUnet.motion?.positionalTableLength ?? Infinity;
  const notes: string[] = [];
  const note = (message: string): void => {
    notes.push(message);
    onProgress?.({ type: 'notice', message });
  };
  const frames = (options.frames ?? [Math.max(1, Math.round(contextFrames / 3)), contextFrames]).filter(
    (count) => {
      if (count > longest) note(`windows of ${count} frames are longer than the ${longest} of this bundle`);
      return count <= longest;
    },
  );
  const settings: Setting[] = networks.flatMap((network) =>
    FRAMELESS.has(network)
      ? [{ network, frames: contextFrames }]
      : frames.map((count) => ({ network, frames: count })),
  );
  const threadCounts = options.threads ?? [undefined];
  const total = devices.length * threadCounts.length * settings.length;
  const rows: BenchRow[] = [];
  const limits: BenchReport['limits'][number][] = [];
  const graphs = new GraphThread(defaultCacheFolder());
  try {
    for (const device of devices) {
      for (const threads of threadCounts) {
        signal?.throwIfAborted();
        let engine: Engine;
        try {
          engine = await Engine.open({ device, threads, onNotice: note });
        } catch (error) {
          if (!(error instanceof EnvironmentError) || devices.length === 1) throw error;
          note(`${device} was left out: ${error.message}`);
          break;
        }
        let traffic: TrafficCounter | undefined;
        try {
          const limit = await measureMatrixLimit(engine, signal);
          if (options.roofline) traffic = await TrafficCounter.open(engine, threads, signal);
          const memory = traffic && { memory: traffic.memoryLimit };
          limits.push({ ...limit, ...memory, device: engine.device, threads: threads ?? null });
          for (const setting of settings) {
            signal?.throwIfAborted();
            const row = await measure(bundle, graphs, engine, setting, seconds, signal);
            const { flops, run } = row;
            const roofline = traffic && {
              roofline: placeUnderRoof(
                {
                  flops,
                  bytes: await countBytes(traffic, bundle, graphs, engine, setting),
                  seconds: run.median,
                },
                { flops: limit.flops, memory: traffic.memoryLimit },
              ),
            };
            const shares = { limitShare: row.achieved / limit.flops, ...roofline };
            rows.push({ ...row, threads: threads ?? null, ...shares });
            onProgress?.({ type: 'row', row: rows.at(-1)!, done: rows.length, total });
          }
        } finally {
          await traffic?.dispose();
          await engine.dispose();
        }
      }
    }
  } finally {
    await graphs.dispose();
  }
  if (limits.length === 0) {
    throw new EnvironmentError(
      `Cannot measure: expected one of the devices ${devices.join(', ')} to work here`,
    );
  }
  return {
    schema: BENCH_SCHEMA,
    schemaVersion: BENCH_VERSION,
    created: new Date().toISOString(),
    bundle: bundle.description.name,
    machine: examineMachine([...new Set(limits.map(({ device }) => device))].join(', '), undefined),
    limits,
    rows,
    notes,
  };
}

/** Values of unit deviation for every input: what they are does not change the time, denormal numbers would. */
function randomInputs({ inputs }: Network): NamedTensors {
  return Object.fromEntries(
    inputs.map(({ name, dims }, index) => {
      const data = new RandomStream([index, 7]).fillNormal(new Float32Array(elementCount(dims)));
      return [name, { data, dims }];
    }),
  );
}

async function timeRuns(network: Network, seconds: number, signal: AbortSignal | undefined): Promise<Spread> {
  await network.bind(randomInputs(network), { transfer: true });
  await network.run({});
  const runs: number[] = [];
  for (const begin = performance.now(); runs.length < MIN_RUNS || secondsSince(begin) < seconds; ) {
    signal?.throwIfAborted();
    const start = performance.now();
    await network.run({});
    runs.push(secondsSince(start));
  }
  return spreadOf(runs);
}

function graphOptions({ device, precision }: Engine, frames: number): GraphOptions {
  return { windowFrames: frames, decodeFrames: frames, loras: [], device, precision };
}

async function countBytes(
  traffic: TrafficCounter,
  bundle: Bundle,
  graphs: GraphThread,
  engine: Engine,
  { network, frames }: Setting,
): Promise<number> {
  const graph = await graphs.build(bundle, network, graphOptions(engine, frames));
  return traffic.count(network, graph, randomInputs);
}

async function measure(
  bundle: Bundle,
  graphs: GraphThread,
  engine: Engine,
  { network: name, frames }: Setting,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<Omit<BenchRow, 'threads' | 'limitShare'>> {
  const begin = performance.now();
  const { model, dataFolder } = await graphs.build(bundle, name, graphOptions(engine, frames));
  const network = await engine.load(name, model, { transfer: true, dataFolder });
  const load = secondsSince(begin);
  try {
    const run = await timeRuns(network, seconds, signal);
    const work = networkWork(bundle.description, { windowFrames: frames, decodeFrames: frames });
    const flops = {
      'portrait-encoder': work.encoder,
      'reference-unet': work.referenceKeys,
      'pose-guider': work.poseGuider,
      'denoising-unet': work.conditional,
      'unconditional-denoising-unet': work.unconditional,
      'published-denoising-unet': work.published,
      decoder: work.decoder,
    }[name];
    return {
      network: name,
      device: engine.device,
      precision: engine.precision,
      frames: FRAMELESS.has(name) ? null : frames,
      ...{ flops, load, run },
      achieved: flops / run.median,
    };
  } finally {
    await network.dispose();
  }
}
