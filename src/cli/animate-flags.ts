/** The flags of `lcm-portrait animate`, and what no command knows. */
import type { Command } from 'commander';
import { InvalidOptionError } from '../errors.ts';
import { closestName } from '../pipeline/options/check-options.ts';
import { OPTION_NAMES } from '../pipeline/options/clip-keys.ts';
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
} {
  const values: Record<string, unknown> = command.opts();
  return {
    options: readOptionFlags(values, OPTION_NAMES),
    switches: {
      quiet: values.quiet === true,
      json: values.json === true,
      dryRun: values.dryRun === true,
      resume: values.resume === true,
    },
    errors: findStrayArguments(command),
  };
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
