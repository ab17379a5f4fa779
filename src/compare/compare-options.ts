/** What a comparison takes and reports on its way. */
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { refusalOf } from '../pipeline/options/check-options.ts';
import { keysOf } from '../pipeline/options/clip-keys.ts';
import type { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import type { KeysOfGroup } from '../pipeline/options/option-spec.ts';
import { integer, path } from '../pipeline/options/option-types.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import { checkSweep, checkVariant, type SweepSpec, type VariantSpec } from './variant-spec.ts';

/** Options of a clip that all variants share. */
type SharedClipOptions = Pick<
  AnimateOptions,
  KeysOfGroup<typeof CLIP_OPTIONS, 'input' | 'networks' | 'clip' | 'machine'> | 'signal'
>;

/** Options of {@link compare}. */
export interface CompareOptions extends SharedClipOptions {
  /** Folder of the report; made if it is not there. */
  readonly output: string;
  /** Variants in addition to the bundle's presets. @defaultValue none */
  readonly variants?: readonly VariantSpec[];
  /** Settings of the preset `fast` to try several values of. @defaultValue none */
  readonly sweeps?: readonly SweepSpec[];
  /** How often every variant renders the clip, 1 to 100. @defaultValue 3 */
  readonly repeats?: number;
  /** Whether whole jobs are measured as well, stages overlapping, as often as `repeats`. @defaultValue false */
  readonly wholeJob?: boolean;
  /** Replaces a report that is in the folder. @defaultValue false */
  readonly overwrite?: boolean;
  /**
   * Whether the page is one file that needs nothing else. If not, its style, script and videos are separate files, as a server
   * wants them whose policy allows nothing inline. @defaultValue true
   */
  readonly selfContained?: boolean;
  /** Whether a report is written of what was finished when `signal` aborts. @defaultValue true */
  readonly keepStopped?: boolean;
  /** What files are called in the report, by their paths. @defaultValue as `portrait` and `audio` name them */
  readonly fileNames?: Readonly<Record<string, string>>;
  /** Called on the caller's thread, in order. */
  readonly onProgress?: (event: CompareEvent) => void;
}

/** Parts of a comparison in their order. */
export type CompareStage = 'prepare' | 'load' | 'render' | 'whole-job' | 'look' | 'write';

/** What {@link CompareOptions.onProgress} receives. */
export type CompareEvent =
  | { readonly type: 'stage'; readonly stage: CompareStage }
  /** Evaluations of the denoiser over all variants and repeats. */
  | {
      readonly type: 'evaluations';
      readonly done: number;
      readonly total: number;
      /** Share that is done, 0 to 1. */
      readonly fraction: number;
      /** Seconds until all are done. */
      readonly remaining?: number;
    }
  | { readonly type: 'notice'; readonly message: string };

/** Options with their defaults. */
export type ResolvedCompareOptions = CompareOptions &
  Required<
    Pick<
      CompareOptions,
      | 'bundle'
      | 'variants'
      | 'sweeps'
      | 'repeats'
      | 'wholeJob'
      | 'overwrite'
      | 'selfContained'
      | 'keepStopped'
    >
  >;

const REPEATS = integer(1, 100);
const FOLDER = path('the path of a folder for the report');

const OWN_KEYS: Record<Exclude<keyof CompareOptions, keyof SharedClipOptions>, true> = {
  output: true,
  variants: true,
  sweeps: true,
  repeats: true,
  wholeJob: true,
  overwrite: true,
  selfContained: true,
  keepStopped: true,
  fileNames: true,
  onProgress: true,
};

/** The options that `animate` checks, without those of the comparison alone. */
export function clipOptionsOf(options: CompareOptions): SharedClipOptions {
  const entries = Object.entries(options).filter(([key]) => !Object.hasOwn(OWN_KEYS, key));
  return Object.fromEntries(entries) as unknown as SharedClipOptions;
}

/** Everything that is wrong with the options, each with its own error. */
export function findInvalidCompareOptions(options: CompareOptions): InvalidOptionError[] {
  const errors: InvalidOptionError[] = [];
  const fail = (option: string, value: unknown, expected: string, got: string): void => {
    errors.push(new InvalidOptionError({ expected, got }, option, value));
  };
  const own: readonly string[] = keysOf('sampling');
  for (const key of own) {
    if (key in options) {
      fail(key, options[key as never], 'variants, which have settings of their own', 'a setting for all');
    }
  }
  const shared = Object.fromEntries(
    Object.entries(clipOptionsOf(options)).filter(([key]) => !own.includes(key)),
  );
  // A video's name stands in for the folder's, which has its own check.
  errors.push(...findInvalidOptions({ ...shared, output: 'comparison.mp4' }));
  const { output, repeats, variants = [], sweeps = [] } = options;
  const folder = refusalOf(FOLDER, output);
  if (folder !== undefined) {
    fail('output', output, folder.expected, output === undefined ? 'nothing' : folder.got);
  }
  const times = repeats === undefined ? undefined : refusalOf(REPEATS, repeats);
  if (times !== undefined) fail('repeats', repeats, times.expected, times.got);
  for (const check of [
    ...variants.map((spec) => () => checkVariant(spec, 'variants')),
    ...sweeps.map((sweep) => () => checkSweep(sweep, 'sweeps')),
  ]) {
    try {
      check();
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      errors.push(error);
    }
  }
  return errors;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 */
export function resolveCompareOptions(options: CompareOptions): ResolvedCompareOptions {
  const errors = findInvalidCompareOptions(options);
  if (errors.length > 0) throw new InvalidOptionsError(errors);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    bundle: 'tiny',
    variants: [],
    sweeps: [],
    repeats: 3,
    wholeJob: false,
    overwrite: false,
    selfContained: true,
    keepStopped: true,
    ...(given as unknown as CompareOptions),
  };
}
