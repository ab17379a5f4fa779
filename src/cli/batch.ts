/** `lcm-portrait batch`: the clips of a manifest, and a report of what became of each. */
import { Command } from 'commander';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import type { BatchReport } from '../jobs/batch-events.ts';
import { BATCH_OPTIONS, BATCH_RULES, type RunBatchOptions } from '../jobs/batch-options.ts';
import { manifestJsonSchema } from '../jobs/manifest-json-schema.ts';
import { findWrongOptions } from '../pipeline/options/check-options.ts';
import { findStrayArguments } from './animate-flags.ts';
import { createBatchDisplay, SlowCount } from './batch-display.ts';
import { formatBatchPlan, formatBatchReport } from './batch-format.ts';
import type { CliContext } from './context.ts';
import { PARTIAL_STATUS } from './exit-codes.ts';
import { LiveLines } from './live-lines.ts';
import { addTableFlags, readTableFlags } from './option-flags.ts';
import { untilStopped } from './stop-signals.ts';

interface BatchSwitches {
  readonly quiet?: true;
  readonly json?: true;
  readonly dryRun?: true;
}

/**
 * The command, ready to be added to the program.
 *
 * @param setStatus - called with the exit status if jobs are not done.
 */
export function createBatchCommand(context: CliContext, setStatus: (status: number) => void): Command {
  const command = new Command('batch').argument('[manifest]', 'YAML, JSON, JSON Lines or CSV file');
  addTableFlags(command, BATCH_OPTIONS)
    .option('--keep-going', 'continue when jobs fail (default)')
    .option('--schema', 'print the JSON Schema of manifests, for editors, and exit')
    .option('--quiet', 'print neither progress nor notes')
    .option('--json', 'print events and the report as JSON, one object per line')
    .option('--dry-run', 'validate all inputs, and print jobs, frames, time and disk space')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
A job is a portrait, a recording and an output; patterns and lists make a job of each pair:

  defaults: {preset: fast, output: 'out/{portrait}-{audio}.mp4', attempts: 3}
  jobs:
    - {portrait: anna.jpg, audio: hello.wav, seed: 7}
    - {portrait: 'faces/*.jpg', audio: [hello.wav, bye.wav], priority: 5, timeout: 600}

Options of a job are those of animate (expressionScale for --expression-scale), and id, priority,
attempts and timeout (seconds). LoRAs are one or a list: loras: [style.safetensors:0.8, other.safetensors].
A CSV file has all of them as columns, several LoRAs with | between them. AniPortrait's map of
picture to recordings is taken as it is.

Run it again after it was stopped or killed: videos that are there stay, others go on from their
checkpoints. Ctrl-C ends the batch within seconds and keeps checkpoints; again to end at once.`,
    );
  return command.action(async (first: string | undefined) => {
    const manifest = first?.startsWith('-') ? undefined : first; // unknown flags come this way, too
    const values = command.opts<Record<string, string | boolean | undefined>>();
    const options: RunBatchOptions = readTableFlags(values, BATCH_OPTIONS);
    const errors = findWrongOptions(BATCH_OPTIONS, BATCH_RULES, options, 'run a batch');
    const { schema = false } = values;
    if (first === undefined && !schema) {
      const message = 'Cannot run a batch without a manifest: expected the path of a file, got nothing';
      errors.push(new InvalidOptionError(message, 'manifest', undefined));
    }
    errors.push(...findStrayArguments(command, manifest === undefined ? 0 : 1));
    if (values.failFast === true && values.keepGoing === true) {
      const message = 'Cannot use --fail-fast: expected it without --keep-going, got both';
      errors.push(new InvalidOptionError(message, '--fail-fast', true));
    }
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    if (schema) context.stdout.write(`${JSON.stringify(manifestJsonSchema(), undefined, 2)}\n`);
    else await run(context, manifest!, options, values as BatchSwitches, setStatus);
  });
}

async function run(
  context: CliContext,
  manifest: string,
  options: RunBatchOptions,
  { quiet = false, json = false, dryRun = false }: { quiet?: boolean; json?: boolean; dryRun?: boolean },
  setStatus: (status: number) => void,
): Promise<void> {
  const { stdout, stderr, env } = context;
  const writeJson = (value: object) => stdout.write(`${JSON.stringify(value)}\n`);
  const display = createBatchDisplay(stderr, { quiet: quiet || json || dryRun, dumb: env.TERM === 'dumb' });
  const outcome = options.queue === undefined ? 'checkpoints are kept' : 'jobs stay in the queue';
  await untilStopped({ stderr, clear: () => display.close(), outcome }, async (signal) => {
    const jobs = await context.loadJobs();
    signal.throwIfAborted();
    const inside: RunBatchOptions = {
      ...options,
      ...(env.FFMPEG_PATH && { ffmpegPath: env.FFMPEG_PATH }),
      signal,
    };
    if (dryRun) {
      const lines = new LiveLines(stderr, { quiet: quiet || json, dumb: env.TERM === 'dumb' });
      const checking = new SlowCount(lines, 'checking', 'jobs');
      const plan = await jobs
        .planBatch(manifest, { ...inside, onPlanned: (done, total) => checking.update({ done, total }) })
        .finally(() => lines.clear());
      if (json) writeJson({ type: 'plan', ...plan });
      else {
        if (!quiet) for (const notice of plan.notices) stderr.write(`lcm-portrait: note: ${notice}\n`);
        stdout.write(formatBatchPlan(plan));
      }
      if (plan.jobs.some(({ state }) => state === 'problem')) setStatus(PARTIAL_STATUS);
      return;
    }
    const batch = jobs.runBatch(manifest, inside);
    for await (const event of batch) {
      if (json) writeJson(event);
      else if (!signal.aborted) display.update(event);
    }
    const report: BatchReport = await batch.report;
    display.close();
    if (!json) stdout.write(formatBatchReport(report));
    if (report.state !== 'complete') setStatus(PARTIAL_STATUS);
  });
}
