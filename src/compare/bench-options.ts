/** What a benchmark of the engine takes and returns. */
import type { Spread } from '../metrics/series.ts';
import { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import { type OptionsOf, option } from '../pipeline/options/option-spec.ts';
import {
  boolean,
  instance,
  integer,
  number,
  oneOf,
  parseNumber,
  someOf,
} from '../pipeline/options/option-types.ts';
import { DEVICES } from '../runtime/device.ts';
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

const MAX_FRAMES = 64;
const MAX_THREADS = 256;
const DEVICE_NAMES = ['auto', ...DEVICES] as const;
const PRECISION_NAMES = ['auto', ...BENCH_PRECISIONS] as const;

/** Reads the items of a list between commas; what is no number where one belongs stays text, for the check of the type. */
function readList(text: string): (number | string)[] {
  return text.split(',').map((part) => parseNumber(part.trim()));
}

/** Every option by name, in the order of help and messages; types, checks and flags follow from this table. */
export const BENCH_OPTIONS = {
  /** Folder of a bundle, or the name of an embedded or installed one. @defaultValue 'tiny' */
  bundle: option(CLIP_OPTIONS.bundle.type, {
    description: 'Networks to measure.',
    group: 'networks',
    otherwise: 'tiny',
    flag: { value: 'name|folder' },
  }),
  /** @defaultValue all */
  networks: option(someOf(oneOf(BENCH_NETWORKS), BENCH_NETWORKS.join(', ')), {
    description: 'Which networks are measured.',
    group: 'networks',
    otherwise: 'all',
    fromText: readList,
    flag: { value: 'names', help: `some of ${BENCH_NETWORKS.join(', ')}` },
  }),
  /** Frames of a window, and of a decoder's batch, 1 to 64. @defaultValue a third of a window, and a window */
  frames: option(someOf(integer(1, MAX_FRAMES), `integers from 1 to ${MAX_FRAMES}`), {
    description: 'Lengths of windows and batches.',
    group: 'sampling',
    otherwise: 'a third of a window, a window',
    fromText: readList,
    flag: { value: 'list', help: 'lengths of windows and batches, e.g. 4,12' },
  }),
  /** Those that do not work here are left out with a note. @defaultValue ['auto'] */
  devices: option(someOf(oneOf(DEVICE_NAMES), DEVICE_NAMES.join(', ')), {
    description: 'Where networks run.',
    group: 'machine',
    otherwise: 'auto',
    fromText: readList,
    flag: { value: 'list', help: 'e.g. cpu,cuda,webgpu' },
  }),
  /** Those that a device does not have are left out with a note. @defaultValue ['auto'] */
  precisions: option(someOf(oneOf(PRECISION_NAMES), PRECISION_NAMES.join(', ')), {
    description: 'What networks are computed in.',
    group: 'sampling',
    otherwise: 'auto, what the device computes in',
    fromText: readList,
    flag: { value: 'list', help: 'e.g. float32,int8 or float16' },
  }),
  /** 1 to 256. @defaultValue one for each core */
  threads: option(someOf(integer(1, MAX_THREADS), `integers from 1 to ${MAX_THREADS}`), {
    description: 'Threads of the engine.',
    group: 'machine',
    otherwise: 'one for each core',
    fromText: readList,
    flag: { value: 'list', help: 'threads of the engine, e.g. 1,2' },
  }),
  /** Seconds of running for each figure, after one run that is not counted, 0.1 to 60. @defaultValue 1 */
  seconds: option(number(0.1, 60), {
    description: 'How long each network runs.',
    group: 'run',
    otherwise: '1',
    flag: { value: 's' },
  }),
  /** Also counts the bytes that networks go through, and measures the memory. @defaultValue false */
  roofline: option(boolean(), {
    description: 'Also count the bytes that networks go through, and measure the memory.',
    group: 'run',
    flag: {},
  }),
  signal: CLIP_OPTIONS.signal,
  /** Called on the caller's thread, in order. */
  onProgress: option(
    instance<(event: BenchEvent) => void>('a function', (value) => typeof value === 'function'),
    { description: 'Called with each row as it comes.', group: 'run' },
  ),
};

/** Options of {@link bench}. */
export type BenchOptions = OptionsOf<typeof BENCH_OPTIONS>;

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
