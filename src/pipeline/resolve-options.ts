/** Checks the options of a job all at once, before any work, and fills in the defaults that need no bundle. */
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import type { AnimateOptions } from './animate-options.ts';
import { findUnknownNames, findWrongValues, showValue } from './options/check-options.ts';
import { isOption, OPTION_NAMES, specOf } from './options/clip-keys.ts';
import { CLIP_OPTIONS } from './options/clip-options.ts';
import { CLIP_RULES } from './options/clip-rules.ts';
import type { DefaultedKeys } from './options/option-spec.ts';

/** Checked options; what is still optional comes from the bundle, its preset or the machine. */
export type ResolvedOptions = AnimateOptions &
  Required<Pick<AnimateOptions, DefaultedKeys<typeof CLIP_OPTIONS>>>;

/** The file that shows who speaks: the portrait, or the film. */
export function shownFile({ portrait, source }: Pick<AnimateOptions, 'portrait' | 'source'>): string {
  const file = portrait ?? source;
  if (file === undefined) throw new Error('options without portrait and source were not checked');
  return file;
}

/** Options of {@link findInvalidOptions}. */
interface FindInvalidOptions {
  /** Whether the options are a part of those of a clip, so that nothing is missing. @defaultValue false */
  readonly partial?: boolean;
}

/**
 * Checks types, ranges, names and required options. Files are not touched; whether they can be read shows when
 * the job opens them.
 *
 * @param options - as a JavaScript caller or a command line may have written them; kept as they are. A value of
 *   undefined counts as not given.
 * @returns a copy with the defaults that {@link AnimateOptions} documents; those of the bundle are left open.
 * @throws {@link InvalidOptionsError} with one error for each thing that is wrong.
 * @example
 * resolveOptions({ portrait: 'a.jpg', audio: 'a.wav', output: 'a.mp4' }).seed; // 42
 */
export function resolveOptions(options: Readonly<Record<string, unknown>> | AnimateOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionsError([
      new InvalidOptionError(
        { refusal: 'Cannot animate', expected: 'an object of options', got: showValue(options) },
        'options',
        options,
      ),
    ]);
  }
  const errors = findInvalidOptions(options);
  if (errors.length > 0) throw new InvalidOptionsError(errors);
  const given = Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, isOption(key) ? (specOf(key).canonical?.(value) ?? value) : value]);
  return Object.fromEntries([...DEFAULTS, ...given]) as unknown as ResolvedOptions;
}

const DEFAULTS: readonly (readonly [string, unknown])[] = OPTION_NAMES.map(
  (key) => [key, specOf(key).default] as const,
).filter(([, value]) => value !== undefined);

/** What says something: a default says what its absence does, also where options are resolved a second time. */
function withoutDefaults(values: Readonly<Record<string, unknown>>): Partial<AnimateOptions> {
  return Object.fromEntries(
    Object.entries(values).filter(([key, value]) => !isOption(key) || value !== specOf(key).default),
  );
}

/** Everything that {@link resolveOptions} would throw, for callers that have errors of their own to add. */
export function findInvalidOptions(
  options: Readonly<Record<string, unknown>> | AnimateOptions,
  { partial = false }: FindInvalidOptions = {},
): InvalidOptionError[] {
  const values = options as Readonly<Record<string, unknown>>;
  const { errors, right } = findWrongValues(CLIP_OPTIONS, values, { task: partial ? undefined : 'animate' });
  for (const { find, whole } of CLIP_RULES) {
    if (partial && whole) continue;
    const broken = find(withoutDefaults(whole ? values : right));
    if (broken !== undefined) {
      errors.push(new InvalidOptionError(broken.problem, broken.option, values[broken.option]));
    }
  }
  // Rules are about options, too: all problems are listed in one order.
  const place = ({ option }: InvalidOptionError): number =>
    (OPTION_NAMES as readonly string[]).indexOf(option);
  errors.sort((a, b) => place(a) - place(b));
  return [...errors, ...findUnknownNames(values, OPTION_NAMES, 'animate')];
}
