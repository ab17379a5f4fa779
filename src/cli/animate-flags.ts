/** The flags of `lcm-portrait animate`, and what no command knows. */
import type { Command } from 'commander';
import { InvalidOptionError } from '../errors.ts';
import { closestName } from '../pipeline/options/check-options.ts';
import { OPTION_NAMES } from '../pipeline/options/clip-keys.ts';
import { readInputWords } from './input-words.ts';
import { addFlags, flagOf, headingOf, readOptionFlags } from './option-flags.ts';

const RUNNING = headingOf('Running');

/** What only the command line has. */
export interface AnimateSwitches {
  readonly quiet: boolean;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly resume: boolean;
}

/** Adds all flags; their values are checked later, so that every mistake is reported at once. */
export function addAnimateFlags(command: Command): Command {
  return addFlags(command, OPTION_NAMES.map(flagOf))
    .optionsGroup(RUNNING)
    .option('--resume', 'keep checkpoints, and continue from those of an earlier run with --resume')
    .option('--quiet', 'print neither progress nor notes')
    .option('--json', 'print events and the result as JSON, one object per line')
    .option('--dry-run', 'validate all inputs, and print frames, estimated time and memory')
    .allowUnknownOption()
    .allowExcessArguments();
}

/** The options that the flags of `command` stand for, not yet checked. */
export function readAnimateFlags(command: Command): {
  readonly options: Record<string, unknown>;
  readonly switches: AnimateSwitches;
  /** Unknown flags and stray words. */
  readonly errors: readonly InvalidOptionError[];
  /** Whether an error is about an option that is missing, and that the errors' corrected command line already has. */
  readonly isAnswered: (error: InvalidOptionError) => boolean;
} {
  const values: Record<string, unknown> = command.opts();
  const given = readOptionFlags(values, OPTION_NAMES);
  const inputs = readStrayInputs(command, given);
  return {
    options: { ...given, ...inputs.options },
    switches: {
      quiet: values.quiet === true,
      json: values.json === true,
      dryRun: values.dryRun === true,
      resume: values.resume === true,
    },
    errors: inputs.errors,
    isAnswered: inputs.isAnswered,
  };
}

/** Portrait and recording that are given without their flags, see {@link readInputWords}, and what else is no flag. */
export function readStrayInputs(command: Command, given: Readonly<Record<string, unknown>>) {
  const { unknown, words } = splitStrayArguments(command);
  const { options, error, corrected } = readInputWords(words, given, command.name());
  const isAnswered = ({ option, value }: InvalidOptionError) =>
    value === undefined && corrected.includes(option);
  return { options, isAnswered, errors: error === undefined ? unknown : [...unknown, error] };
}

/**
 * Unknown flags and words that belong to none, of a command that lets them through.
 *
 * @param operands - number of words, from the first, that are the command's own.
 */
export function findStrayArguments(command: Command, operands = 0): InvalidOptionError[] {
  const { unknown, words } = splitStrayArguments(command, operands);
  const refused = words.map((word) => {
    const message = `Cannot use ${JSON.stringify(word)}: expected options, got a word that belongs to none`;
    return new InvalidOptionError(message, word, word);
  });
  return [...unknown, ...refused];
}

/** Errors that name unknown flags, and the words that belong to no flag. */
function splitStrayArguments(
  command: Command,
  operands = 0,
): { readonly unknown: InvalidOptionError[]; readonly words: string[] } {
  const known = command.options.flatMap((option) => option.long ?? []);
  const errors: InvalidOptionError[] = [];
  const words: string[] = [];
  let afterUnknownFlag = false;
  for (const argument of command.args.slice(operands)) {
    if (/^-./.test(argument)) {
      const name = argument.split('=', 1)[0]!;
      const suggestion = closestName(name, known);
      errors.push(
        new InvalidOptionError(
          {
            expected: `an option of ${command.name()}`,
            got: 'an unknown name',
            ...(suggestion !== undefined && { hint: `did you mean ${suggestion}?` }),
          },
          name,
          argument,
        ),
      );
      afterUnknownFlag = !argument.includes('=');
    } else {
      // The word after an unknown flag is most likely its value: one message is enough.
      if (!afterUnknownFlag) words.push(argument);
      afterUnknownFlag = false;
    }
  }
  return { unknown: errors, words };
}
