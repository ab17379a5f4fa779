/** The options of a clip as flags: names, help, and the way from flags to options and back. */
import { type Command, Option } from 'commander';
import { type WriteOption, writeLibraryOption } from '../errors.ts';
import { isOption, type OptionKey, specOf } from '../pipeline/options/clip-keys.ts';
import { OPTION_SUBJECTS } from '../pipeline/options/clip-options.ts';
import type { OptionSpec, OptionTable } from '../pipeline/options/option-spec.ts';
import {
  alternatives,
  kindOfType,
  namesOfType,
  parseNumber,
  rangeOfType,
} from '../pipeline/options/option-types.ts';

/** A flag of a command. */
export interface Flag {
  readonly name: string;
  /** Short form: `-o`. */
  readonly short?: string;
  /** Placeholder of the value; a flag without one is a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly repeatable?: true;
  readonly help: string;
  /** Another name that is understood, and not listed. */
  readonly alias?: string;
  /** Help of the flag that turns it off. */
  readonly off?: string;
  /** Heading that help lists it under. */
  readonly heading?: string;
}

const PLACEHOLDERS: Readonly<Record<string, string>> = { number: 'n', enum: 'name', string: 'file' };

/** The flag of an option of a clip; undefined if only the library has it. */
export function flagOf(key: OptionKey): Flag | undefined {
  const flag = flagOfSpec(key, specOf(key));
  const subjects = Object.entries(OPTION_SUBJECTS) as [keyof typeof OPTION_SUBJECTS, object][];
  const subject = subjects.find(([, options]) => key in options);
  return flag && subject && { ...flag, heading: headingOf(subject[0]) };
}

/** A subject as help writes it above its flags. */
export function headingOf(subject: keyof typeof OPTION_SUBJECTS): string {
  return `${subject}:`;
}

/** The flag of an option of any table; undefined if only the library has it. */
function flagOfSpec(key: string, spec: OptionSpec): Flag | undefined {
  const { flag, type, repeatable } = spec;
  if (flag === undefined) return undefined;
  const kind = kindOfType(type);
  return {
    name: flag.name ?? nameOfFlag(key),
    ...(flag.short !== undefined && { short: flag.short }),
    ...(kind !== 'boolean' && { value: flag.value ?? PLACEHOLDERS[kind] ?? 'value' }),
    ...(repeatable && { repeatable }),
    ...(flag.alias !== undefined && { alias: flag.alias }),
    ...(flag.off !== undefined && { off: flag.off }),
    help: `${flag.help ?? describe(spec)}${withoutFlag(spec)}`,
  };
}

/** The description as a line of help: names and limits are said, where nobody has found better words for them. */
function describe({ type, description }: OptionSpec): string {
  const names = namesOfType(type);
  if (names !== undefined) return alternatives(names);
  const text = description.charAt(0).toLowerCase() + description.slice(1).replace(/\.$/, '');
  const range = rangeOfType(type);
  return range === undefined ? text : `${text}, ${range.min} to ${range.max}`;
}

/** What an option is if its flag is not given. */
function withoutFlag({ required, default: standard, otherwise }: OptionSpec): string {
  if (required) return ' (required)';
  if (standard !== undefined && typeof standard !== 'boolean') return ` (default: ${String(standard)})`;
  return otherwise === undefined ? '' : ` (default: ${otherwise})`;
}

/** Adds flags; their values are checked later, so that every mistake is reported at once. */
export function addFlags(command: Command, flags: Iterable<Flag | undefined>): Command {
  for (const flag of flags) {
    if (flag === undefined) continue;
    const { name, short, value, repeatable, help, alias, off, heading } = flag;
    const withValue = (word: string) => (value === undefined ? word : `${word} <${value}>`);
    const text = `${short === undefined ? '' : `${short}, `}${withValue(name)}`;
    if (alias !== undefined) command.addOption(new Option(withValue(alias), help).hideHelp());
    const option = new Option(text, help);
    if (repeatable) option.argParser(collect);
    if (heading !== undefined) option.helpGroup(heading);
    command.addOption(option);
    if (off !== undefined) command.option(name.replace('--', '--no-'), off);
  }
  return command;
}

/** Tables of the commands whose options are not those of a clip. */
const TABLES = new WeakMap<Command, OptionTable>();

/** Adds the flags of a table that is a command's own: see {@link readTableFlags} and {@link writeFlags}. */
export function addTableFlags(command: Command, table: OptionTable): Command {
  TABLES.set(command, table);
  return addFlags(
    command,
    Object.entries(table).map(([key, spec]) => flagOfSpec(key, spec)),
  );
}

/**
 * The options that flags stand for. Text that is not what an option takes stays text, which the check of the options then
 * names.
 *
 * @param values - as the parser of the command line gives them.
 */
export function readOptionFlags(
  values: Readonly<Record<string, unknown>>,
  keys: readonly OptionKey[],
): Record<string, unknown> {
  return readTableFlags(values, Object.fromEntries(keys.map((key) => [key, specOf(key)])));
}

/** The same for any table. */
export function readTableFlags(
  values: Readonly<Record<string, unknown>>,
  table: OptionTable,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(table)) {
    const flag = flagOfSpec(key, spec);
    const given = flag && (values[propertyOf(flag.name)] ?? (flag.alias && values[propertyOf(flag.alias)]));
    // A flag that can be turned off is true unless it, or a value, is given.
    if (given === undefined || (flag?.off !== undefined && given === true)) continue;
    const { fromText, repeatable, type } = spec;
    if (repeatable) options[key] = (given as string[]).map((text) => fromText?.(text) ?? text);
    else if (typeof given !== 'string') options[key] = given;
    else if (fromText !== undefined) options[key] = fromText(given);
    else options[key] = kindOfType(type) === 'number' ? parseNumber(given) : given;
  }
  return options;
}

/**
 * Writes options as flags: `--seed`, `--device cpu`, `--force`.
 *
 * @param command - an option that has no flag of its own may be one of its flags by its name, or among several values, as
 *   `--devices`; without, all flags of `animate`.
 */
export function writeFlags(command?: Command): WriteOption {
  const known = command && new Set(command.options.flatMap(({ long }) => long ?? []));
  const table = command && TABLES.get(command);
  return (mention) => {
    const { option: name } = mention;
    const spec = table?.[name] ?? (isOption(name) ? specOf(name) : undefined);
    const own = spec && flagOfSpec(name, spec)?.name;
    const likely = [own, nameOfFlag(name), `${nameOfFlag(name)}s`];
    const flag = known === undefined ? own : likely.find((each) => each !== undefined && known.has(each));
    if (flag === undefined) return writeLibraryOption(mention);
    return 'value' in mention && mention.value !== true ? `${flag} ${String(mention.value)}` : flag;
  };
}

/** Gathers the values of a flag that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** `--head-pose-scale` for `headPoseScale`. */
function nameOfFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** What the parser calls the value of a flag. */
export function propertyOf(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
