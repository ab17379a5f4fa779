/** The engine by itself: how fast each network runs in several settings, for people who tune. */
import { EnvironmentError } from '../errors.ts';
import { type Spread, spreadOf } from '../metrics/series.ts';
import { type Bundle, openBundle } from '../models/bundle.ts';
import { type GraphOptions, uploadsOf } from '../networks/bundle-graphs.ts';
import type { GraphThread } from '../networks/graph-thread.ts';
import type { Precision } from '../onnx/graph.ts';
import { defaultBundleStore, defaultCacheFolder } from '../pipeline/machine-places.ts';
import { checkOptions } from '../pipeline/options/check-options.ts';
import { checkBundlePrecision } from '../pipeline/resolve-sampling.ts';
import { HALF_PRECISION_DEVICES } from '../runtime/device.ts';
import { Engine, type NamedTensors, type Network } from '../runtime/engine.ts';
import { RandomStream } from '../tensor/random.ts';
import { elementCount } from '../tensor/tensor.ts';
import {
  BENCH_NETWORKS,
  BENCH_OPTIONS,
  BENCH_SCHEMA,
  BENCH_VERSION,
  type BenchNetwork,
  type BenchOptions,
  type BenchPrecision,
  type BenchReport,
  type BenchRow,
  FRAMELESS,
} from './bench-options.ts';
import { secondsSince } from './clock.ts';
import { examineMachine } from './machine-facts.ts';
import { measureMatrixLimit } from './matrix-limit.ts';
import { type MeasuredNetworkName, openGraphThread } from './published-graphs.ts';
import { placeUnderRoof, type Traffic, TrafficCounter } from './roofline.ts';
import { networkWork } from './work.ts';

/** Fewer runs give no middle. */
const MIN_RUNS = 3;

interface Setting {
  readonly network: BenchNetwork;
  readonly frames: number;
}

/** Whether an engine's device computes in a precision, so that its networks can be measured there. */
const COMPUTES_IN: Readonly<Record<BenchPrecision, (engine: Engine) => boolean>> = {
  float32: () => true,
  float16: ({ precision }) => precision === 'float16',
  int8: ({ device }) => device === 'cpu',
};

/** What is measured on one engine. */
interface EngineParts {
  readonly bundle: Bundle;
  readonly graphs: GraphThread<MeasuredNetworkName>;
  readonly engine: Engine;
  readonly threads: number | null;
  readonly settings: readonly Setting[];
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
  /** Counts bytes, where the roofline was asked for. */
  readonly traffic: TrafficCounter | undefined;
}

/**
 * Measures every network in every setting.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 * @throws {@link InvalidOptionError} if `int8` is asked of a bundle without a calibration.
 * @throws {@link ModelError} if the bundle is damaged or the engine refuses a graph.
 * @throws {@link EnvironmentError} if none of the devices works here.
 * @throws `signal.reason` if it aborts.
 * @example
 * const { rows } = await bench({ networks: ['denoising-unet'], frames: [12] });
 * rows[0]?.achieved; // 6.2e10
 */
export async function bench(options: BenchOptions = {}): Promise<BenchReport> {
  checkOptions(BENCH_OPTIONS, [], options, 'measure');
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
  const precisions = options.precisions ?? ['auto'];
  for (const precision of precisions) checkBundlePrecision(precision, bundle);
  const total = devices.length * threadCounts.length * precisions.length * settings.length;
  const rows: BenchRow[] = [];
  const limits: BenchReport['limits'][number][] = [];
  const refusals = new Set<string>();
  const graphs = openGraphThread(defaultCacheFolder());
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
          const wanted = new Set(precisions.map((each) => (each === 'auto' ? engine.precision : each)));
          for (const precision of wanted) {
            if (!COMPUTES_IN[precision](engine)) refusals.add(`${precision} on ${engine.device}`);
          }
          const possible = [...wanted].filter((precision) => COMPUTES_IN[precision](engine));
          if (options.roofline) traffic = await TrafficCounter.open(engine, threads, signal);
          const parts = {
            bundle,
            graphs,
            engine,
            threads: threads ?? null,
            settings,
            seconds,
            signal,
            traffic,
          };
          for await (const found of measureEngine(parts, possible)) {
            if ('sizes' in found) limits.push(found);
            else {
              rows.push(found);
              onProgress?.({ type: 'row', row: found, done: rows.length, total });
            }
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
  if (rows.length === 0 && refusals.size > 0) {
    throw new EnvironmentError(
      `Cannot measure ${[...refusals].join(', ')}: expected a device that computes in it, ${HALF_PRECISION_DEVICES.join(' or ')} for float16, cpu for int8, got none; take float32, or auto for what the device computes in`,
    );
  }
  for (const refusal of refusals) note(`${refusal} was left out: the device does not compute in it`);
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
export function randomInputs({ inputs }: Network): NamedTensors {
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

function graphOptions(
  { bundle: { description }, engine: { device } }: EngineParts,
  frames: number,
  precision: BenchPrecision,
): GraphOptions {
  const uploads = uploadsOf(description, device, precision);
  return { windowFrames: frames, decodeFrames: frames, loras: [], device, precision, uploads };
}

async function countTraffic(
  traffic: TrafficCounter,
  parts: EngineParts,
  { network, frames }: Setting,
  asked: BenchPrecision,
): Promise<Traffic> {
  const { bundle, graphs } = parts;
  const graph = await graphs.build(bundle, network, graphOptions(parts, frames, asked));
  return traffic.count(network, graph, randomInputs);
}

/** Rows of all settings, each network once for each precision that it really has, and the limits before them. */
async function* measureEngine(
  parts: EngineParts,
  precisions: readonly BenchPrecision[],
): AsyncGenerator<BenchRow | BenchReport['limits'][number]> {
  const { engine, threads, settings, signal, traffic } = parts;
  const memory = traffic && { memory: traffic.memoryLimit };
  const limits = new Map<Precision, number>();
  const known = new Set<string>();
  for (const asked of precisions) {
    for (const setting of settings) {
      signal?.throwIfAborted();
      const opened = await openNetwork(parts, setting, asked);
      const { network, precision } = opened;
      try {
        const key = JSON.stringify([setting, precision]);
        if (known.has(key)) continue; // keeps to float32 whatever is asked for
        known.add(key);
        // Integers are measured against what they replace.
        const floats = precision === 'int8' ? 'float32' : precision;
        let limit = limits.get(floats);
        if (limit === undefined) {
          const found = await measureMatrixLimit(engine, floats, signal);
          limit = found.flops;
          limits.set(floats, limit);
          yield { ...found, ...memory, device: engine.device, precision: floats, threads };
        }
        const run = await timeRuns(network, parts.seconds, signal);
        const flops = flopsOf(parts.bundle, setting);
        const achieved = flops / run.median;
        const counted = traffic && (await countTraffic(traffic, parts, setting, asked));
        const roofline = counted && {
          roofline: placeUnderRoof(
            { flops, bytes: counted.bytes, seconds: run.median },
            { flops: limit, memory: traffic.memoryLimit },
          ),
          placements: counted.placements,
        };
        yield {
          network: setting.network,
          device: engine.device,
          precision,
          threads,
          frames: FRAMELESS.has(setting.network) ? null : setting.frames,
          flops,
          load: opened.load,
          run,
          achieved,
          limitShare: achieved / limit,
          ...roofline,
        };
      } finally {
        await network.dispose();
      }
    }
  }
}

/** Makes and opens a network. @returns it, what it computes in, and the seconds that it took. */
async function openNetwork(
  parts: EngineParts,
  { network: name, frames }: Setting,
  asked: BenchPrecision,
): Promise<{ readonly network: Network; readonly precision: BenchPrecision; readonly load: number }> {
  const { bundle, graphs, engine } = parts;
  const begin = performance.now();
  const { model, precision, dataFolder } = await graphs.build(
    bundle,
    name,
    graphOptions(parts, frames, asked),
  );
  const network = await engine.load(name, model, { transfer: true, dataFolder });
  return { network, precision, load: secondsSince(begin) };
}

function flopsOf({ description }: Bundle, { network, frames }: Setting): number {
  const work = networkWork(description, { windowFrames: frames, decodeFrames: frames });
  return {
    'portrait-encoder': work.encoder,
    'reference-unet': work.referenceKeys,
    'pose-guider': work.poseGuider,
    'denoising-unet': work.conditional,
    'unconditional-denoising-unet': work.unconditional,
    'published-denoising-unet': work.published,
    decoder: work.decoder,
  }[network];
}
