/** The program: parses the command line, runs one command, and turns what happens into an exit status. */
import { Command, CommanderError } from 'commander';
import { InvalidOptionError, PipelineError } from '../errors.ts';
import { COMMANDS, type CommandEntry, commandName } from './commands.ts';
import type { CliContext } from './context.ts';
import { describeExitStatuses, exitStatusOf } from './exit-codes.ts';
import { expandHomes } from './home-arguments.ts';
import { reportError } from './report-error.ts';

/**
 * Runs one command line.
 *
 * @param args - without the program's own path.
 * @returns the exit status; errors are reported, never thrown.
 */
export async function runProgram(args: readonly string[], context: CliContext): Promise<number> {
  let status = 0;
  let running: Command | undefined;
  try {
    const program = await createProgram(args, context, (commandStatus) => {
      status = commandStatus;
    });
    program.hook('preAction', (_, command) => {
      running = command;
    });
    await program.parseAsync(expandHomes(args), { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0; // --help, --version
      if (error.code === 'commander.help') return exitStatusOf(invalidUsage('')); // help in place of a command
      return reportError(invalidUsage(error.message), context, args.includes('--json'));
    }
    // Below the command line nobody knows its flags: errors speak of options, which this command has names for.
    const written =
      error instanceof PipelineError
        ? error.writtenAs((await import('./option-flags.ts')).writeFlags(running))
        : error;
    return reportError(written, context, args.includes('--json'));
  }
}

/** The program with the command that `args` name; of the others, it knows the names. */
async function createProgram(
  args: readonly string[],
  context: CliContext,
  setStatus: (status: number) => void,
): Promise<Command> {
  const program = new Command('lcm-portrait')
    .description('A portrait and a speech recording in, a talking video out.')
    .version(context.version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command');
  // The first of them, as in `help batch`: words before it are no commands, and an error.
  const called = args.find((arg) => COMMANDS.some((entry) => commandName(entry) === arg));
  const commands = await Promise.all(
    COMMANDS.map((entry) =>
      commandName(entry) === called ? entry.load(context, setStatus) : nameAlone(entry),
    ),
  );
  const usages = new Map<Command, string>();
  for (const [i, { usage, description }] of COMMANDS.entries()) {
    usages.set(commands[i]!.description(description), usage);
  }
  const help = program.createHelp();
  program.configureHelp({ subcommandTerm: (command) => usages.get(command) ?? help.subcommandTerm(command) });
  for (const command of [program, ...commands, ...commands.flatMap((each) => each.commands)]) {
    command
      .exitOverride()
      .helpOption('-h, --help', 'print this help')
      .addHelpText('after', `\n${describeExitStatuses()}`)
      .configureOutput({
        writeOut: (text) => void context.stdout.write(text),
        writeErr: (text) => void context.stderr.write(text),
        outputError: () => {}, // reported as every other error is
        getOutHelpWidth: () => context.stdout.columns || 100,
        getErrHelpWidth: () => context.stderr.columns || 100,
      });
  }
  for (const command of commands) program.addCommand(command);
  return program;
}

function nameAlone(entry: CommandEntry): Command {
  return new Command(commandName(entry));
}

/** A commander message in this program's words; commander's may have a suggestion on a second line. */
function invalidUsage(message: string): InvalidOptionError {
  const [what = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const text = `Cannot read the command line: ${what}${suggestion ? ` ${suggestion}` : ''}`;
  return new InvalidOptionError(text, 'arguments', undefined);
}
