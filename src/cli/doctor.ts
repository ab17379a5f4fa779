/** `lcm-portrait doctor`: what is here, and what to do about what is missing. */
import { Command } from 'commander';
import { InvalidOptionsError } from '../errors.ts';
import { findStrayArguments } from './animate-flags.ts';
import type { CliContext } from './context.ts';
import { formatReport, isReady } from './doctor-report.ts';
import { EXIT_STATUSES } from './exit-codes.ts';

/**
 * The command, ready to be added to the program.
 *
 * @param setStatus - called with the exit status if something that the main job needs is missing.
 */
export function createDoctorCommand(context: CliContext, setStatus: (status: number) => void): Command {
  const command = new Command('doctor')
    .option('--json', 'print the report as one JSON object')
    .allowUnknownOption()
    .allowExcessArguments();
  return command.action(async (flags: { json?: true }) => {
    const errors = findStrayArguments(command);
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    const report = await context.examine();
    const ready = isReady(report);
    context.stdout.write(
      flags.json ? `${JSON.stringify({ type: 'doctor', ready, ...report })}\n` : formatReport(report),
    );
    if (!ready) setStatus(EXIT_STATUSES.ENVIRONMENT.status);
  });
}
