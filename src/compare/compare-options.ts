/** What a comparison takes and reports on its way. */
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { findInvalidOptions, type NameOf } from '../pipeline/resolve-options.ts';
import { checkSweep, checkVariant, type SweepSpec, type VariantSpec } from './variant-spec.ts';

/** Options of a clip that a comparison shares with `animate`. */
export type SharedClipOptions = Pick<
  AnimateOptions,
  | 'portrait'
  | 'audio'
  | 'bundle'
  | 'seed'
  | 'fps'
  | 'device'
  | 'threads'
  | 'framing'
  | 'expressionScale'
  | 'mouthScale'
  | 'headPoseScale'
  | 'blinkScale'
  | 'still'
  | 'ffmpegPath'
  | 'signal'
>;

/** Options of {@link compare}. */
export interface CompareOptions extends SharedClipOptions {
  /** Folder of the report; made if it is not there. */
  readonly output: string;
  /** Variants beside the bundle's presets. @defaultValue none */
  readonly variants?: readonly VariantSpec[];
  /** Settings of the preset `fast` to try several values of. @defaultValue none */
  readonly sweeps?: readonly SweepSpec[];
  /** How often every variant renders the clip, 1 to 100. @defaultValue 3 */
  readonly repeats?: number;
  /** Whether whole jobs are measured as well, stages overlapping, as often as `repeats`. @defaultValue false */
  readonly wholeJob?: boolean;
  /** Replaces a report that is in the folder. @defaultValue false */
  readonly overwrite?: boolean;
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
      readonly remaining?: number;
    }
  | { readonly type: 'notice'; readonly message: string };

/** Options with their defaults. */
export type ResolvedCompareOptions = CompareOptions &
  Required<Pick<CompareOptions, 'bundle' | 'variants' | 'sweeps' | 'repeats' | 'wholeJob' | 'overwrite'>>;

const MAX_REPEATS = 100;

const OWN_KEYS: Record<Exclude<keyof CompareOptions, keyof SharedClipOptions>, true> = {
  output: true,
  variants: true,
  sweeps: true,
  repeats: true,
  wholeJob: true,
  overwrite: true,
  onProgress: true,
};

/** The options that `animate` checks, without those of the comparison alone. */
export function clipOptionsOf(options: CompareOptions): SharedClipOptions {
  const entries = Object.entries(options).filter(([key]) => !Object.hasOwn(OWN_KEYS, key));
  return Object.fromEntries(entries) as unknown as SharedClipOptions;
}

/** Everything that is wrong with the options, each with its own error. */
export function findInvalidCompareOptions(options: CompareOptions, nameOf: NameOf): InvalidOptionError[] {
  const errors: InvalidOptionError[] = [];
  const fail = (option: string, value: unknown, expected: string, got: string): void => {
    errors.push(
      new InvalidOptionError(`Cannot use ${option}: expected ${expected}, got ${got}`, option, value),
    );
  };
  const own: readonly string[] = ['preset', 'sampler', 'steps', 'guidance', 'windows', 'precision'];
  for (const key of own) {
    if (key in options) {
      fail(key, options[key as never], 'variants, which have settings of their own', 'a setting for all');
    }
  }
  const shared = Object.fromEntries(
    Object.entries(clipOptionsOf(options)).filter(([key]) => !own.includes(key)),
  );
  // A video's name stands in for the folder's, which has its own check.
  errors.push(...findInvalidOptions({ ...shared, output: 'comparison.mp4' }, nameOf));
  const { output, repeats, variants = [], sweeps = [] } = options;
  const name = nameOf('output');
  if (typeof output !== 'string' || output === '' || output.includes('\0')) {
    fail(
      name,
      output,
      'the path of a folder for the report',
      output === undefined ? 'nothing' : String(output),
    );
  }
  if (repeats !== undefined && !(Number.isInteger(repeats) && repeats >= 1 && repeats <= MAX_REPEATS)) {
    fail(nameOf('repeats' as never), repeats, `an integer from 1 to ${MAX_REPEATS}`, String(repeats));
  }
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
  const errors = findInvalidCompareOptions(options, (key) => key);
  if (errors.length > 0) throw new InvalidOptionsError(errors);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    bundle: 'tiny',
    variants: [],
    sweeps: [],
    repeats: 3,
    wholeJob: false,
    overwrite: false,
    ...(given as unknown as CompareOptions),
  };
}
