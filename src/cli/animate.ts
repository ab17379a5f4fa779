/** `lcm-portrait animate`: a portrait and a speech recording become a video. */
import { Command } from 'commander';
import { InvalidOptionsError } from '../errors.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import { type AnimateSwitches, addAnimateFlags, readAnimateFlags } from './animate-flags.ts';
import type { CliContext } from './context.ts';
import { formatPlan, formatResult } from './format.ts';
import { createProgressDisplay } from './progress-bar.ts';
import { spoolPipe } from './spool-pipe.ts';
import { untilStopped } from './stop-signals.ts';

/** The command, ready to be added to the program. */
export function createAnimateCommand(context: CliContext): Command {
  const command = new Command('animate');
  addAnimateFlags(command).addHelpText(
    'after',
    `
Example:
  lcm-portrait animate --portrait face.jpg --audio speech.wav --output talk.mp4
  lcm-portrait animate face.jpg speech.wav -o talk.mp4

The path of the video and a summary go to standard output, everything else to standard error.
Ctrl-C stops the job and removes partial files, except for the checkpoints of --resume; a second
Ctrl-C ends it immediately.`,
  );
  return command.action(async () => {
    const { options: given, switches, errors, isAnswered } = readAnimateFlags(command);
    const options = given.output === '-' ? { ...given, stream: context.stdout } : given;
    const wrong = [...errors, ...findInvalidOptions(options).filter((error) => !isAnswered(error))];
    if (wrong.length > 0) throw new InvalidOptionsError(wrong);
    await run(context, options as unknown as AnimateOptions, switches);
  });
}

async function run(
  context: CliContext,
  options: AnimateOptions,
  { quiet, json, dryRun, resume }: AnimateSwitches,
): Promise<void> {
  const { stderr, env } = context;
  // A video on standard output leaves no room there for words.
  const stdout = options.output === '-' && !dryRun ? stderr : context.stdout;
  const writeJson = (value: object) => stdout.write(`${JSON.stringify(value)}\n`);
  const display = createProgressDisplay(stderr, { quiet: quiet || json, dumb: env.TERM === 'dumb' });
  await untilStopped({ stderr, clear: () => display.close() }, async (signal) => {
    const pipeline = await context.loadPipeline();
    signal.throwIfAborted();
    const spooled = options.audio === undefined ? undefined : await spoolPipe(options.audio, signal);
    try {
      const job: AnimateOptions = {
        ...options,
        ...(spooled && { audio: spooled.path }),
        ...(env.FFMPEG_PATH && { ffmpegPath: env.FFMPEG_PATH }),
        signal,
        onProgress: (event) => {
          if (json) writeJson(event);
          else if (!signal.aborted) display.update(event);
        },
      };
      if (dryRun) {
        const plan = await pipeline.planAnimation(job);
        display.close();
        if (json) writeJson({ type: 'plan', ...plan });
        else stdout.write(formatPlan(plan));
      } else if (resume) {
        const done = await (await context.loadJobs()).animateResumable(job);
        display.close();
        if (done.reused) {
          if (json) writeJson({ type: 'result', reused: true, output: done.output });
          else stdout.write(`${done.output}\nwas complete already, of the same inputs and options\n`);
        } else {
          const { result, resumedFrames } = done;
          if (json) writeJson({ type: 'result', reused: false, resumedFrames, ...result });
          else stdout.write(formatResult(result, resumedFrames));
        }
      } else {
        const result = await pipeline.animate(job);
        display.close();
        if (json) writeJson({ type: 'result', ...result });
        else stdout.write(formatResult(result));
      }
    } finally {
      await spooled?.dispose();
    }
  });
}
