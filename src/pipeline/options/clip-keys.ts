/** Names of options by what their descriptions say of them. */
import { CLIP_OPTIONS } from './clip-options.ts';
import type { KeysOfGroup, OptionGroup, OptionSpec } from './option-spec.ts';
import { kindOfType } from './option-types.ts';

/** Name of an option of a clip. */
export type OptionKey = keyof typeof CLIP_OPTIONS;

/** Options that a job of a manifest may set: all but those of the machine and of a call. */
export type JobOptionKey = Exclude<OptionKey, KeysOfGroup<typeof CLIP_OPTIONS, 'machine' | 'run'>>;

/** Options that name a file to be read. */
export type InputKey = KeysOfGroup<typeof CLIP_OPTIONS, 'input'>;

const ENTRIES = Object.entries(CLIP_OPTIONS) as [OptionKey, OptionSpec][];

/** What the table says of an option. */
export function specOf(key: OptionKey): OptionSpec {
  return CLIP_OPTIONS[key];
}

/** Whether there is an option of this name. */
export function isOption(key: string): key is OptionKey {
  return Object.hasOwn(CLIP_OPTIONS, key);
}

/** Names of the options that `accepts`, in the order of the table. */
export function keysWhere<Key extends OptionKey = OptionKey>(
  accepts: (spec: OptionSpec, key: OptionKey) => boolean,
): readonly Key[] {
  return ENTRIES.filter(([key, spec]) => accepts(spec, key)).map(([key]) => key as Key);
}

/** Names of the options of some groups. */
export function keysOf<Group extends OptionGroup>(
  ...groups: readonly Group[]
): readonly (KeysOfGroup<typeof CLIP_OPTIONS, Group> & OptionKey)[] {
  return keysWhere(({ group }) => (groups as readonly OptionGroup[]).includes(group));
}

/** Names of all options. */
export const OPTION_NAMES = keysWhere(() => true);

/** See {@link JobOptionKey}. */
export const JOB_OPTION_KEYS = keysWhere<JobOptionKey>(({ group }) => group !== 'machine' && group !== 'run');

/** See {@link InputKey}. */
export const INPUT_KEYS = keysOf('input');

/** Whether values of an option are numbers. */
export function isNumeric(key: OptionKey): boolean {
  return kindOfType(specOf(key).type) === 'number';
}

/** What tells clips apart by an option; see {@link OptionSpec.key}. */
export function contentOf({ key, group, path }: OptionSpec): NonNullable<OptionSpec['key']> {
  if (key !== undefined) return key;
  if (group === 'output' || group === 'machine' || group === 'run') return 'none';
  return path?.to === 'input' ? 'contents' : 'value';
}

/**
 * A copy of `options` with other paths.
 *
 * @param move - given a path and what it leads to.
 */
export function withPaths<Options extends object>(
  options: Options,
  move: (file: string, to: NonNullable<OptionSpec['path']>) => string,
): Options {
  const moved = { ...options } as Record<string, unknown>;
  for (const [key, { path }] of ENTRIES) {
    const value = moved[key];
    if (path === undefined || value === undefined) continue;
    moved[key] =
      path.to === 'items'
        ? (value as readonly { readonly path: string }[]).map((item) => ({
            ...item,
            path: move(item.path, path),
          }))
        : move(value as string, path);
  }
  return moved as Options;
}
