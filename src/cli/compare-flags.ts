/** The flags of `lcm-portrait compare`, and the way from them to the options of the library. */
import type { Command } from 'commander';
import { type CompareOptions, findInvalidCompareOptions } from '../compare/compare-options.ts';
import { parseSweep, parseVariant } from '../compare/variant-spec.ts';
import { InvalidOptionError } from '../errors.ts';
import { CLIP_FLAGS, findStrayArguments } from './animate-flags.ts';

interface Flag {
  readonly name: string;
  readonly value?: string;
  readonly help: string;
}

type SingleKey = Exclude<
  keyof CompareOptions,
  'variants' | 'sweeps' | 'ffmpegPath' | 'signal' | 'onProgress'
>;

/** Flags that are given once, in the order of the help. */
const FLAGS: Readonly<Record<SingleKey, Flag>> = {
  portrait: { name: '--portrait', value: 'file', help: 'picture with one clear face (required)' },
  audio: { name: '--audio', value: 'file', help: 'speech: any sound or video file (required)' },
  output: { name: '--output', value: 'folder', help: 'folder for the report (required)' },
  bundle: { name: '--bundle', value: 'name|folder', help: 'networks to use (default: tiny)' },
  repeats: { name: '--repeats', value: 'n', help: 'how often everyone renders, 1 to 100 (default: 3)' },
  wholeJob: { name: '--whole-job', help: 'measure whole jobs, too, with their stages overlapping' },
  ...CLIP_FLAGS,
  overwrite: { name: '--force', help: 'replace a report that is in the folder' },
};
const WITH = '--with';
const SWEEP = '--sweep';
const NUMERIC: ReadonlySet<string | undefined> = new Set(['n', 'x']);

/** Adds all flags; their values are checked later, so that every mistake is reported at once. */
export function addCompareFlags(command: Command): Command {
  const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];
  for (const { name, value, help } of Object.values(FLAGS)) {
    command.option(value === undefined ? name : `${name} <${value}>`, help);
  }
  return command
    .option(
      `${WITH} <settings>`,
      'another variant, e.g. sampler=dpmpp,steps=8, every=2,windows=moving or preset=faster; may be repeated',
      collect,
    )
    .option(`${SWEEP} <values>`, 'the preset fast with several values, e.g. steps=1,2,4,8', collect)
    .option('--quiet', 'print no progress and no notes')
    .option('--json', 'print events and the report as JSON, one object a line')
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
  const errors = findStrayArguments(command);
  const options: Record<string, unknown> = {};
  for (const [key, { name, value }] of Object.entries(FLAGS)) {
    const given = values[camelCase(name)];
    if (given !== undefined) options[key] = NUMERIC.has(value) ? toNumber(given as string) : given;
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
  errors.push(
    ...findInvalidCompareOptions(read, (key) =>
      Object.hasOwn(FLAGS, key) ? FLAGS[key as SingleKey].name : key,
    ),
  );
  return { options: read, quiet: values.quiet === true, json: values.json === true, errors };
}

function toNumber(text: string): number | string {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
