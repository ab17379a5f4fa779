/** The flags of `lcm-portrait compare`, and the way from them to the options of the library. */
import type { Command } from 'commander';
import { type CompareOptions, findInvalidCompareOptions } from '../compare/compare-options.ts';
import { parseSweep, parseVariant } from '../compare/variant-spec.ts';
import { InvalidOptionError } from '../errors.ts';
import { keysOf, type OptionKey } from '../pipeline/options/clip-keys.ts';
import { parseNumber } from '../pipeline/options/option-types.ts';
import { readStrayInputs } from './animate-flags.ts';
import { addFlags, collect, type Flag, flagOf, propertyOf, readOptionFlags } from './option-flags.ts';

/** Options of a clip that all variants share. */
const SHARED_KEYS = keysOf('input', 'networks', 'clip', 'machine') satisfies readonly OptionKey[];

/** Flags of the comparison alone. */
const OWN_FLAGS = {
  output: { name: '--output', short: '-o', value: 'folder', help: 'folder for the report (required)' },
  repeats: { name: '--repeats', value: 'n', help: 'renders per variant, 1 to 100 (default: 3)' },
  wholeJob: { name: '--whole-job', help: 'also measure whole jobs, with overlapping stages' },
  overwrite: { name: '--force', help: 'overwrite an existing report' },
} as const satisfies Readonly<Record<string, Flag>>;
const WITH = '--with';
const SWEEP = '--sweep';

/** Adds all flags; their values are checked later, so that every mistake is reported at once. */
export function addCompareFlags(command: Command): Command {
  const { output, repeats, wholeJob, overwrite } = OWN_FLAGS;
  const flagsOf = (keys: readonly OptionKey[]) => keys.map(flagOf);
  addFlags(command, [...flagsOf(keysOf('input')), output, ...flagsOf(keysOf('networks')), repeats, wholeJob]);
  addFlags(command, [...flagsOf(keysOf('clip', 'machine')), overwrite]);
  return command
    .option(
      `${WITH} <settings>`,
      'another variant, e.g. sampler=dpmpp,steps=8, every=2,windows=moving or preset=faster; repeatable',
      collect,
    )
    .option(
      `${SWEEP} <values>`,
      'the preset fast with several values of a setting, e.g. steps=1,2,4,8',
      collect,
    )
    .option('--quiet', 'print neither progress nor notes')
    .option('--json', 'print events and the report as JSON, one object per line')
    .allowUnknownOption()
    .allowExcessArguments();
}

/** The options that the flags stand for, and everything that is wrong with them. */
export function readCompareFlags(command: Command): {
  readonly options: CompareOptions;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly errors: readonly InvalidOptionError[];
} {
  const values: Record<string, unknown> = command.opts();
  const given = readOptionFlags(values, SHARED_KEYS);
  const { errors, isAnswered, options: inputs } = readStrayInputs(command, given);
  const options: Record<string, unknown> = { ...given, ...inputs };
  for (const [key, { name }] of Object.entries(OWN_FLAGS)) {
    const given = values[propertyOf(name)];
    if (given !== undefined) options[key] = key === 'repeats' ? parseNumber(given as string) : given;
  }
  const parseAll = <T>(texts: unknown, parse: (text: string) => T): T[] =>
    ((texts ?? []) as string[]).flatMap((text) => {
      try {
        return [parse(text)];
      } catch (error) {
        if (!(error instanceof InvalidOptionError)) throw error;
        errors.push(error);
        return [];
      }
    });
  options.variants = parseAll(values.with, (text) => parseVariant(text, WITH));
  options.sweeps = parseAll(values.sweep, (text) => parseSweep(text, SWEEP));
  const read = options as unknown as CompareOptions;
  errors.push(...findInvalidCompareOptions(read).filter((error) => !isAnswered(error)));
  return { options: read, quiet: values.quiet === true, json: values.json === true, errors };
}
