/** What is to be said of an option, so that all else follows from it: types, checks, flags, manifests, keys. */
import type { z } from 'zod';
import type { OptionProblem } from '../../errors.ts';

/**
 * What an option is about, which decides who may set it.
 *
 * - `input`, `output`, `networks`, `clip`: a call, a job of a manifest; of these, all but `output` are shared by the
 *   variants of a comparison
 * - `sampling`: a call, a job; each variant of a comparison has its own
 * - `machine`: a call, or a whole batch: where and with what the work is done
 * - `run`: a call of the library alone
 */
export type OptionGroup = 'input' | 'output' | 'networks' | 'sampling' | 'clip' | 'machine' | 'run';

/**
 * What a path leads to. Manifests and queues move all of these to where the reader of a path stands.
 *
 * - `input`: a file that is read; manifests take patterns and lists, and make a job of each
 * - `output`: the file that is written
 * - `folder`: a folder that may not be there
 * - `name`: a path, or else a name that stays as it is; it is a path if there is `marker` in it, or, without a marker, if
 *   there is anything
 * - `items`: a list of objects with a `path` of a file that is read
 */
export type OptionPath =
  | { readonly to: 'input'; readonly holds: FileContent }
  | { readonly to: 'output' | 'folder' }
  | { readonly to: 'name'; readonly marker?: string; readonly holds?: FileContent }
  | { readonly to: 'items'; readonly noun: string; readonly holds: FileContent };

/** What is in a file that an option names; `sound` is in films, too. Who takes files from strangers checks it. */
export type FileContent = 'picture' | 'sound' | 'film' | 'motion' | 'weights';

/** How an option looks on the command line. */
interface OptionFlag {
  /** @defaultValue the option's name with dashes: `--head-pose-scale` */
  readonly name?: `--${string}`;
  /** Its short form: `-o`. */
  readonly short?: `-${string}`;
  /** Placeholder of the value. @defaultValue `n` for numbers, `name` for names, `file` for paths; none for a switch */
  readonly value?: string;
  /** Another name that is understood. */
  readonly alias?: `--${string}`;
  /** In place of the description; what it is without the flag is added to it. */
  readonly help?: string;
  /** For an option that takes false, which `--no-` and its flag set: the help of that. */
  readonly off?: string;
}

/** An option. */
export interface OptionSpec<T = unknown> {
  /** Its messages are what it expects; see `option-types.ts`. */
  readonly type: z.ZodType<T>;
  /** One sentence. */
  readonly description: string;
  readonly group: OptionGroup;
  /** Whether there is no clip without it; what one of several options must give belongs to the rules. */
  readonly required?: true;
  readonly default?: T;
  /** What takes its place if it is left out and has no default: `the preset's`. */
  readonly otherwise?: string;
  /** Left out for options that only the library has. */
  readonly flag?: OptionFlag;
  /** For a list: its flag may be given several times, and a cell of a table separates its items by `|`. */
  readonly repeatable?: true;
  /**
   * Reads a value, or an item of a repeatable option, from the command line or a manifest. What cannot be read stays as
   * it is, for the check of the type.
   */
  readonly fromText?: (text: string) => unknown;
  /** The value that stands for all that mean the same; everything behind the check of the options sees this one. */
  canonical?(value: T): T;
  readonly path?: OptionPath;
  /**
   * What of it tells clips apart: its value; the contents of the file that it names; nothing; `own` if the content key
   * knows more. @defaultValue 'contents' for inputs, 'none' for the groups `output`, `machine` and `run`, else 'value'
   */
  readonly key?: 'value' | 'contents' | 'none' | 'own';
  /** Whether an output's name may hold it, as `{seed}`. Those of inputs may always be. */
  readonly placeholder?: true;
  /** For the group `sampling`: what a variant of a comparison calls it. */
  readonly setting?: string;
}

/** Options by name. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** What a rule has found: the option that is to be changed, and why. */
interface BrokenRule<Key extends string> {
  readonly option: Key;
  readonly problem: OptionProblem;
}

/** A rule over options; it sees those whose values are right by themselves, and are not the defaults. */
export interface OptionRule<Options extends object> {
  /**
   * Whether it is about what is missing: it means nothing for a part of the options, as a manifest's defaults, and sees all
   * that are given, of whatever type.
   */
  readonly whole?: true;
  find(values: Partial<Options>): BrokenRule<keyof Options & string> | undefined;
}

/** An entry of a table; its default must be of its type. */
export function option<T, const Spec extends Omit<OptionSpec<T>, 'type'>>(
  type: z.ZodType<T>,
  spec: Spec,
): Spec & { readonly type: z.ZodType<T> } {
  return { ...spec, type };
}

/** The value of an entry. */
export type ValueOf<Spec> = Spec extends { readonly type: z.ZodType<infer T> } ? T : never;

/** What a caller gives: what is required, and all else. */
export type OptionsOf<Table extends OptionTable> = {
  readonly [Key in keyof Table as Table[Key] extends { readonly required: true } ? Key : never]: ValueOf<
    Table[Key]
  >;
} & {
  readonly [Key in keyof Table as Table[Key] extends { readonly required: true } ? never : Key]?: ValueOf<
    Table[Key]
  >;
};

/** Names of the options that have a default. */
export type DefaultedKeys<Table extends OptionTable> = {
  [Key in keyof Table]: Table[Key] extends { readonly default: unknown } ? Key : never;
}[keyof Table];

/** Names of the options of some groups. */
export type KeysOfGroup<Table extends OptionTable, Group extends OptionGroup> = {
  [Key in keyof Table]: Table[Key] extends { readonly group: Group } ? Key : never;
}[keyof Table];
