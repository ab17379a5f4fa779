/** The options of a clip as flags: names, help, and the way from flags to options and back. */
import { type Command, Option } from 'commander';
import { type WriteOption, writeLibraryOption } from '../errors.ts';
import { isNumeric, isOption, type OptionKey, specOf } from '../pipeline/options/clip-keys.ts';
import type { OptionSpec } from '../pipeline/options/option-spec.ts';
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
  /** Placeholder of the value; a flag without one is a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly repeatable?: true;
  readonly help: string;
  /** Another name that is understood, and not listed. */
  readonly alias?: string;
}

const PLACEHOLDERS: Readonly<Record<string, string>> = { number: 'n', enum: 'name', string: 'file' };

/** The flag of an option; undefined if only the library has it. */
export function flagOf(key: OptionKey): Flag | undefined {
  const spec = specOf(key);
  const { flag, type, repeatable } = spec;
  if (flag === undefined) return undefined;
  const kind = kindOfType(type);
  return {
    name: flag.name ?? nameOfFlag(key),
    ...(kind !== 'boolean' && { value: flag.value ?? PLACEHOLDERS[kind] ?? 'value' }),
    ...(repeatable && { repeatable }),
    ...(flag.alias !== undefined && { alias: flag.alias }),
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
    const { name, value, repeatable, help, alias } = flag;
    const withValue = (word: string) => (value === undefined ? word : `${word} <${value}>`);
    const text = withValue(name);
    if (alias !== undefined) command.addOption(new Option(withValue(alias), help).hideHelp());
    if (repeatable) command.option(text, help, collect);
    else command.option(text, help);
  }
  return command;
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
  const options: Record<string, unknown> = {};
  for (const key of keys) {
    const flag = flagOf(key);
    const given = flag && (values[propertyOf(flag.name)] ?? (flag.alias && values[propertyOf(flag.alias)]));
    if (given === undefined) continue;
    const { fromText, repeatable } = specOf(key);
    if (repeatable) options[key] = (given as string[]).map((text) => fromText?.(text) ?? text);
    else if (fromText !== undefined) options[key] = fromText(given as string);
    else options[key] = isNumeric(key) ? parseNumber(given as string) : given;
  }
  return options;
}

/**
 * Writes options as flags: `--seed`, `--device cpu`, `--force`.
 *
 * @param known - flags of the command: an option that has none of its own may be one of those by its name, or among several
 *   values, as `--devices`; without, all flags of `animate`.
 */
export function writeFlags(known?: ReadonlySet<string>): WriteOption {
  return (mention) => {
    const { option: name } = mention;
    const own = isOption(name) ? flagOf(name)?.name : undefined;
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
