/** `lcm-portrait worker`: takes jobs from a queue until it is stopped. */
import { Command } from 'commander';
import { InvalidOptionsError } from '../errors.ts';
import { type RunWorkerOptions, WORKER_OPTIONS, type WorkerEvent } from '../jobs/worker-options.ts';
import { findWrongOptions } from '../pipeline/options/check-options.ts';
import { findStrayArguments } from './animate-flags.ts';
import type { CliContext } from './context.ts';
import { addTableFlags, readTableFlags } from './option-flags.ts';
import { untilStopped } from './stop-signals.ts';

/** The command, ready to be added to the program. */
export function createWorkerCommand(context: CliContext): Command {
  const command = new Command('worker');
  addTableFlags(command, WORKER_OPTIONS)
    .option('--dead-letters', 'list permanently failed jobs with their reasons, and exit')
    .option('--quiet', 'print neither progress nor notes')
    .option('--json', 'print events as JSON, one object per line')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
On the first Ctrl-C or SIGTERM the worker takes no more jobs, and ends within seconds, or after --drain: it
keeps checkpoints and returns its job to the queue, for another worker to continue. A second signal ends it
immediately; another worker then gets the job after --lock.`,
    );
  return command.action(async () => {
    const values = command.opts<Record<string, string | boolean | undefined>>();
    const options = readTableFlags(values, WORKER_OPTIONS) as unknown as RunWorkerOptions;
    const errors = findWrongOptions(WORKER_OPTIONS, [], options, 'work');
    errors.push(...findStrayArguments(command));
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    if (values.deadLetters === true) await listDeadLetters(context, options.queue, values.json === true);
    else await run(context, options, { quiet: values.quiet === true, json: values.json === true });
  });
}

async function run(
  { stdout, stderr, env, loadJobs }: CliContext,
  options: RunWorkerOptions,
  { quiet, json }: { readonly quiet: boolean; readonly json: boolean },
): Promise<void> {
  const outcome = 'the job goes back to the queue';
  await untilStopped({ stderr, clear: () => {}, outcome }, async (signal) => {
    const jobs = await loadJobs();
    signal.throwIfAborted();
    await jobs.runWorker({
      ...options,
      ...(env.FFMPEG_PATH && { ffmpegPath: env.FFMPEG_PATH }),
      signal,
      onEvent: (event) => {
        if (json) stdout.write(`${JSON.stringify(event)}\n`);
        else if (!quiet) stderr.write(`lcm-portrait: ${describeEvent(event)}\n`);
      },
    });
    signal.throwIfAborted();
  });
}

async function listDeadLetters(
  { stdout, loadJobs }: CliContext,
  queue: string,
  json: boolean,
): Promise<void> {
  const letters = await (await loadJobs()).listDeadLetters(queue);
  for (const letter of letters) {
    stdout.write(
      json ? `${JSON.stringify({ type: 'dead-letter', ...letter })}\n` : `${letter.name}: ${letter.reason}\n`,
    );
  }
}

function describeEvent(event: WorkerEvent): string {
  switch (event.type) {
    case 'ready':
      return `${event.worker} takes jobs`;
    case 'begin':
      return `${event.job}: begins`;
    case 'done':
      return `${event.job}: ${event.reused ? 'was there already' : 'done'}`;
    case 'failed':
      return `${event.job}: failed${event.final ? '' : ', is tried again'}: ${event.message}`;
    case 'handed-back':
      return `${event.job}: handed back (${event.reason})`;
    case 'notice':
      return `note: ${event.message}`;
  }
}
