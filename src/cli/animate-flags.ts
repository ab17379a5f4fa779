/** The flags of `lcm-portrait animate`, and the way from them to the options of the library and back. */
import type { Command } from 'commander';
import { InvalidOptionError } from '../errors.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { closestName } from '../pipeline/closest-name.ts';
import { parseLora } from '../weights/lora-argument.ts';

type Key = Exclude<keyof AnimateOptions, 'bundleStore' | 'ffmpegPath' | 'signal' | 'onProgress'>;

interface Flag {
  readonly name: string;
  /** Placeholder of the value; a flag without one is a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly repeatable?: true;
  readonly help: string;
}

/** Flags of every command that renders a clip. */
export const CLIP_FLAGS = {
  seed: { name: '--seed', value: 'n', help: 'seed of noise, head motion and blinks (default: 42)' },
  fps: { name: '--fps', value: 'n', help: "frames a second, 1 to 120 (default: the bundle's)" },
  device: { name: '--device', value: 'name', help: 'auto, cpu, cuda, webgpu, coreml or dml (default: auto)' },
  threads: {
    name: '--threads',
    value: 'n',
    help: 'threads of the engine, 1 to 256 (default: one for each core)',
  },
  framing: {
    name: '--framing',
    value: 'name',
    help: 'paste-back (whole photo) or crop (default: paste-back)',
  },
  expressionScale: { name: '--expression-scale', value: 'x', help: 'facial expression, 0 to 3 (default: 1)' },
  mouthScale: { name: '--mouth-scale', value: 'x', help: 'lips and jaw on top of it, 0 to 3 (default: 1)' },
  headPoseScale: { name: '--head-pose-scale', value: 'x', help: 'head motion, 0 to 3 (default: 1)' },
  blinkScale: { name: '--blink-scale', value: 'x', help: 'blinks, 0 to 1 (default: 1)' },
  still: { name: '--still', help: 'keep the head where it is in the portrait' },
} as const satisfies Partial<Record<keyof AnimateOptions, Flag>>;

/** Flags that become options of the job, in the order of the help. */
const FLAGS: Readonly<Record<Key, Flag>> = {
  portrait: { name: '--portrait', value: 'file', help: 'picture with one clear face (required)' },
  audio: { name: '--audio', value: 'file', help: 'speech: any sound or video file (required)' },
  output: { name: '--output', value: 'file', help: 'video to write: .mp4, .m4v or .mov (required)' },
  bundle: { name: '--bundle', value: 'name|folder', help: 'networks to use (default: tiny)' },
  loras: {
    name: '--lora',
    value: 'file[:scale]',
    repeatable: true,
    help: "LoRA to merge, after the preset's; may be repeated (scale: 1)",
  },
  preset: { name: '--preset', value: 'name', help: 'fast, faster or original (default: fast)' },
  sampler: {
    name: '--sampler',
    value: 'name',
    help: "lcm, ddim, dpmsolver, tcd or euler (default: the preset's)",
  },
  steps: { name: '--steps', value: 'n', help: "denoising steps, 1 to 100 (default: the preset's)" },
  guidance: { name: '--guidance', value: 'scale', help: "guidance, 1 (off) to 20 (default: the preset's)" },
  denoiseEvery: {
    name: '--denoise-every',
    value: 'n',
    help: "denoise every nth frame, 1 to 8, and blend those between (default: the preset's)",
  },
  windows: {
    name: '--windows',
    value: 'kind',
    help: "overlapping, moving (less work) or loop (default: the preset's)",
  },
  precision: {
    name: '--precision',
    value: 'name',
    help: "auto, float32, float16 (GPU) or int8 (CPU, faster, slightly coarser) (default: the preset's)",
  },
  ...CLIP_FLAGS,
  overwrite: { name: '--force', help: 'replace an existing output' },
};

/** What only the command line has. */
export interface AnimateSwitches {
  readonly quiet: boolean;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly resume: boolean;
}

/** Name of a library option on the command line. */
export function flagOf(key: keyof AnimateOptions): string {
  return Object.hasOwn(FLAGS, key) ? FLAGS[key as Key].name : key;
}

/** Adds all flags; their values are checked later, so that every mistake is reported at once. */
export function addAnimateFlags(command: Command): Command {
  for (const { name, value, repeatable, help } of Object.values(FLAGS)) {
    const flags = value === undefined ? name : `${name} <${value}>`;
    if (repeatable) command.option(flags, help, collect);
    else command.option(flags, help);
  }
  return command
    .option('--resume', 'keep checkpoints, and go on from those of an earlier run that had --resume')
    .option('--quiet', 'print no progress and no notes')
    .option('--json', 'print events and result as JSON, one object a line')
    .option('--dry-run', 'check all inputs and print what the job would cost')
    .allowUnknownOption()
    .allowExcessArguments();
}

/**
 * The options that the flags of `command` stand for. Text that is not a number stays text, which the check of
 * the options then names.
 */
export function readAnimateFlags(command: Command): {
  readonly options: Record<string, unknown>;
  readonly switches: AnimateSwitches;
  /** Unknown flags and stray words. */
  readonly errors: readonly InvalidOptionError[];
} {
  const values: Record<string, unknown> = command.opts();
  const options: Record<string, unknown> = {};
  for (const [key, { name, value, repeatable }] of Object.entries(FLAGS)) {
    const given = values[camelCase(name)];
    if (given === undefined) continue;
    if (repeatable) options[key] = (given as string[]).map(parseLora);
    else options[key] = NUMERIC.has(value) ? parseNumber(given as string) : given;
  }
  return {
    options,
    switches: {
      quiet: values.quiet === true,
      json: values.json === true,
      dryRun: values.dryRun === true,
      resume: values.resume === true,
    },
    errors: findStrayArguments(command),
  };
}

/** `error` in the words of the command line, when it is about an option of the library. */
export function inFlagNames(error: unknown): unknown {
  if (!(error instanceof InvalidOptionError) || !Object.hasOwn(FLAGS, error.option)) return error;
  const flag = flagOf(error.option as Key);
  // Only where a sentence speaks of an option: the same word may be part of a path.
  const mention = new RegExp(`(?<=\\b(?:use|set|with|without|than) )${error.option}\\b(: true)?`, 'g');
  return new InvalidOptionError(error.message.replace(mention, flag), flag, error.value, { cause: error });
}

/** Placeholders of numbers. */
const NUMERIC: ReadonlySet<string | undefined> = new Set(['n', 'x', 'scale']);

/** Gathers the values of a flag that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** A number, or the text if it is none. */
export function parseNumber(text: string): number | string {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Unknown flags and words that belong to none, of a command that lets them through.
 *
 * @param operands - number of words, from the first, that are the command's own.
 */
export function findStrayArguments(command: Command, operands = 0): InvalidOptionError[] {
  const known = command.options.flatMap((option) => option.long ?? []);
  const errors: InvalidOptionError[] = [];
  let afterUnknownFlag = false;
  for (const argument of command.args.slice(operands)) {
    if (/^-./.test(argument)) {
      const name = argument.split('=', 1)[0]!;
      const suggestion = closestName(name, known);
      errors.push(
        new InvalidOptionError(
          `Cannot use ${name}: expected an option of ${command.name()}, got an unknown name` +
            (suggestion === undefined ? '' : `; did you mean ${suggestion}?`),
          name,
          argument,
        ),
      );
      afterUnknownFlag = !argument.includes('=');
    } else {
      // The word after an unknown flag is most likely its value: one message is enough.
      if (!afterUnknownFlag) {
        errors.push(
          new InvalidOptionError(
            `Cannot use ${JSON.stringify(argument)}: expected options, got a word that belongs to none`,
            argument,
            argument,
          ),
        );
      }
      afterUnknownFlag = false;
    }
  }
  return errors;
}
