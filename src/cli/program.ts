/** The program: parses the command line, runs one command, and turns what happens into an exit status. */
import { Command, CommanderError } from 'commander';
import { InvalidOptionError, PipelineError } from '../errors.ts';
import { createAnimateCommand } from './animate.ts';
import { createBatchCommand } from './batch.ts';
import { createBenchCommand } from './bench.ts';
import { createCompareCommand } from './compare.ts';
import type { CliContext } from './context.ts';
import { createDoctorCommand } from './doctor.ts';
import { describeExitStatuses, exitStatusOf } from './exit-codes.ts';
import { expandHomes } from './home-arguments.ts';
import { createModelsCommand } from './models.ts';
import { createMotionCommand } from './motion.ts';
import { writeFlags } from './option-flags.ts';
import { reportError } from './report-error.ts';
import { createServeCommand } from './serve.ts';
import { createWorkerCommand } from './worker.ts';

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
    const program = createProgram(context, (commandStatus) => {
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
    const written = error instanceof PipelineError ? error.writtenAs(writeFlags(running)) : error;
    return reportError(written, context, args.includes('--json'));
  }
}

function createProgram(context: CliContext, setStatus: (status: number) => void): Command {
  const program = new Command('lcm-portrait')
    .description('A portrait and a speech recording in, a talking video out.')
    .version(context.version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command');
  const commands = [
    createAnimateCommand(context),
    createBatchCommand(context, setStatus),
    createWorkerCommand(context),
    createServeCommand(context),
    createMotionCommand(context),
    createModelsCommand(context),
    createCompareCommand(context),
    createBenchCommand(context),
    createDoctorCommand(context, setStatus),
  ];
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

/** A commander message in this program's words; commander's may have a suggestion on a second line. */
function invalidUsage(message: string): InvalidOptionError {
  const [what = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const text = `Cannot read the command line: ${what}${suggestion ? ` ${suggestion}` : ''}`;
  return new InvalidOptionError(text, 'arguments', undefined);
}
