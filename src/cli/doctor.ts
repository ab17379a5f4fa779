/** `lcm-portrait doctor`: what is here, and what to do about what is missing. */
import { Command } from 'commander';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import { findWrongValues } from '../pipeline/options/check-options.ts';
import { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import { DEVICE_CHOICES, type DeviceChoice } from '../runtime/device.ts';
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
    .option('--bundle <name|folder>', 'also run its networks: where their nodes run, and the cost of a clip')
    .option('--device <name>', `device for them: ${DEVICE_CHOICES.join(', ')} (default: auto)`)
    .option('--json', 'print the report as one JSON object')
    .allowUnknownOption()
    .allowExcessArguments();
  return command.action(async (flags: { json?: true; bundle?: string; device?: DeviceChoice }) => {
    const errors = findStrayArguments(command);
    const { device } = flags;
    errors.push(...findWrongValues({ device: CLIP_OPTIONS.device }, { device }).errors);
    if (device !== undefined && flags.bundle === undefined) {
      const problem = { expected: '--bundle with it, whose networks run there', got: 'none' };
      errors.push(new InvalidOptionError(problem, '--device', device));
    }
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    const { bundle } = flags;
    const report = await context.examine(
      bundle === undefined ? undefined : { bundle, device: device ?? 'auto' },
    );
    const ready = isReady(report);
    context.stdout.write(
      flags.json ? `${JSON.stringify({ type: 'doctor', ready, ...report })}\n` : formatReport(report),
    );
    if (!ready) setStatus(EXIT_STATUSES.ENVIRONMENT.status);
  });
}
