/** What a benchmark of the engine takes and returns. */
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import type { Spread } from '../metrics/series.ts';
import { DEVICES, type DeviceChoice } from '../runtime/device.ts';
import type { MachineFacts } from './machine-facts.ts';
import type { MatrixLimit } from './matrix-limit.ts';
import type { NodePlacement } from './operator-profile.ts';
import type { Roofline } from './roofline.ts';

/** Networks that can be measured. */
export const BENCH_NETWORKS = [
  'portrait-encoder',
  'reference-unet',
  'pose-guider',
  'denoising-unet',
  'unconditional-denoising-unet',
  'published-denoising-unet',
  'decoder',
] as const;
/** One of {@link BENCH_NETWORKS}; `published-denoising-unet` is both guidance branches as AniPortrait computes them. */
export type BenchNetwork = (typeof BENCH_NETWORKS)[number];

/** Networks whose work does not depend on the number of frames. */
export const FRAMELESS: ReadonlySet<BenchNetwork> = new Set(['portrait-encoder', 'reference-unet']);

/**
 * Numbers that networks can be computed in; `auto` is what the device computes large networks in, `int8` is for CPUs and
 * bundles with a calibration.
 */
const BENCH_PRECISIONS = ['float32', 'float16', 'int8'] as const;
/** One of {@link BENCH_PRECISIONS}. */
export type BenchPrecision = (typeof BENCH_PRECISIONS)[number];

/** Options of {@link bench}. */
export interface BenchOptions {
  /** Folder of a bundle, or the name of an embedded one. @defaultValue 'tiny' */
  readonly bundle?: string;
  /** @defaultValue all */
  readonly networks?: readonly BenchNetwork[];
  /** Frames of a window, and of a decoder's batch, 1 to 64. @defaultValue a third of a window, and a window */
  readonly frames?: readonly number[];
  /** Those that do not work here are left out with a note. @defaultValue ['auto'] */
  readonly devices?: readonly DeviceChoice[];
  /** Those that a device does not have are left out with a note. @defaultValue ['auto'] */
  readonly precisions?: readonly (BenchPrecision | 'auto')[];
  /** 1 to 256. @defaultValue one for each core */
  readonly threads?: readonly number[];
  /** Seconds of running for each figure, after one run that is not counted, 0.1 to 60. @defaultValue 1 */
  readonly seconds?: number;
  /** Also counts the bytes that networks go through, and measures the memory. @defaultValue false */
  readonly roofline?: boolean;
  readonly signal?: AbortSignal;
  /** Called on the caller's thread, in order. */
  readonly onProgress?: (event: BenchEvent) => void;
}

/** What {@link BenchOptions.onProgress} receives. */
export type BenchEvent =
  | { readonly type: 'row'; readonly row: BenchRow; readonly done: number; readonly total: number }
  | { readonly type: 'notice'; readonly message: string };

/** One network in one setting. */
export interface BenchRow {
  readonly network: BenchNetwork;
  readonly device: string;
  /** What it was computed in: some networks stay in float32 whatever is asked for. */
  readonly precision: BenchPrecision;
  /** Null for one for each core. */
  readonly threads: number | null;
  /** Null where the network's work does not depend on it. */
  readonly frames: number | null;
  /** Multiplications and additions of one run. */
  readonly flops: number;
  /** Seconds of making the graph and opening it. */
  readonly load: number;
  /** Seconds of one run: inputs lie in the engine already, outputs come back. */
  readonly run: Spread;
  /** FLOP/s by the median run, and its share of the machine's limit in this setting. */
  readonly achieved: number;
  /** 1 is the limit; integers may pass it. */
  readonly limitShare: number;
  /** Where it was asked for. */
  readonly roofline?: Roofline;
  /** Where its nodes ran; with the roofline. */
  readonly placements?: readonly NodePlacement[];
}

/** What `report.json` of a benchmark calls itself. */
export const BENCH_SCHEMA = 'lcm-portrait/bench';
/** See {@link BENCH_SCHEMA}. */
export const BENCH_VERSION = 1;

/** What {@link bench} returns. */
export interface BenchReport {
  readonly schema: typeof BENCH_SCHEMA;
  readonly schemaVersion: typeof BENCH_VERSION;
  /** ISO 8601. */
  readonly created: string;
  readonly bundle: string;
  readonly machine: MachineFacts;
  /** Products of matrices in every setting. */
  readonly limits: readonly (MatrixLimit &
    Pick<BenchRow, 'device' | 'precision' | 'threads'> & {
      /** Bytes a second to memory, where the roofline was asked for. */
      readonly memory?: number;
    })[];
  readonly rows: readonly BenchRow[];
  readonly notes: readonly string[];
}

const MAX_FRAMES = 64;
const MAX_THREADS = 256;
const MIN_SECONDS = 0.1;
const MAX_SECONDS = 60;

/** @throws {@link InvalidOptionsError} that names all options that are wrong. */
export function checkBenchOptions(options: BenchOptions): void {
  const errors: InvalidOptionError[] = [];
  const check = (
    key: keyof BenchOptions,
    values: readonly unknown[] | undefined,
    expected: string,
    accepts: (value: unknown) => boolean,
  ): void => {
    const wrong = values?.find((value) => !accepts(value));
    if (values === undefined || (wrong === undefined && values.length > 0)) return;
    const got = values.length === 0 ? 'none' : String(wrong);
    errors.push(new InvalidOptionError({ expected, got }, key, values));
  };
  const isInteger = (max: number) => (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
  const devices: readonly string[] = ['auto', ...DEVICES];
  check('networks', options.networks, BENCH_NETWORKS.join(', '), (value) =>
    (BENCH_NETWORKS as readonly unknown[]).includes(value),
  );
  check('frames', options.frames, `integers from 1 to ${MAX_FRAMES}`, isInteger(MAX_FRAMES));
  check('devices', options.devices, devices.join(', '), (value) => devices.includes(value as string));
  const precisions: readonly string[] = ['auto', ...BENCH_PRECISIONS];
  check('precisions', options.precisions, precisions.join(', '), (value) =>
    precisions.includes(value as string),
  );
  check('threads', options.threads, `integers from 1 to ${MAX_THREADS}`, isInteger(MAX_THREADS));
  check(
    'seconds',
    options.seconds === undefined ? undefined : [options.seconds],
    `a number from ${MIN_SECONDS} to ${MAX_SECONDS}`,
    (value) => typeof value === 'number' && value >= MIN_SECONDS && value <= MAX_SECONDS,
  );
  if (errors.length > 0) throw new InvalidOptionsError(errors);
}
