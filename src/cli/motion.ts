/** `lcm-portrait motion`: motion as a file, from films and from templates, and as pictures. */
import path from 'node:path';
import { Command } from 'commander';
import { InvalidOptionError } from '../errors.ts';
import { parseNumber } from '../pipeline/options/option-types.ts';
import type { GapChoice } from '../tracking/gap-choices.ts';
import type { CliContext } from './context.ts';
import { StatusLine } from './status-line.ts';
import { untilStopped } from './stop-signals.ts';

/** Flags by name, as they are given. */
type Values = Record<string, string | boolean | undefined>;

/** Brings native libraries along, which would slow down `--help`. */
const loadTools = () => import('../pipeline/motion-tools.ts');

/** The command with its parts, ready to be added to the program. */
export function createMotionCommand(context: CliContext): Command {
  const command = new Command('motion');
  const required = (value: string | undefined): string => {
    if (value !== undefined) return value;
    const problem = { expected: 'a file to write, after what is read or with --output', got: 'nothing' };
    throw new InvalidOptionError(
      { refusal: 'Cannot write without a name', ...problem },
      '--output',
      undefined,
    );
  };
  // Every part writes one file, and takes its name as its second word or with --output.
  const outputOf = (word: string | undefined, flag: string | boolean | undefined): string | undefined => {
    if (word !== undefined && flag !== undefined && word !== flag) {
      throw new InvalidOptionError(
        { expected: 'one file to write', got: `${word} and ${flag}` },
        '--output',
        flag,
      );
    }
    return word ?? (flag as string | undefined);
  };

  command
    .command('extract')
    .description('track the face in a video and write its motion')
    .argument('<film>', 'film of a person')
    .argument('[output]', 'as with --output')
    .option('-o, --output <file>', "motion file to write (default: the video's name with .motion)")
    .option('--face <n>', 'which face, counted from 1 at the left (default: the largest)')
    .option(
      '--gaps <choice>',
      'refuse or hold, where the face is out of sight for longer than 0.5 s',
      'refuse',
    )
    .option('--head-only', 'write only the motion of the head, a few kB')
    .option('--force', 'overwrite an existing file')
    .addHelpText('after', '\nExample:\n  lcm-portrait motion extract talk.mp4 --output talk.motion')
    .action(async (film: string, word: string | undefined, options: Values) => {
      const { extractMotion } = await loadTools();
      const face = options.face === undefined ? undefined : parseNumber(String(options.face));
      if (face !== undefined && !(Number.isInteger(face) && (face as number) >= 1)) {
        throw new InvalidOptionError({ expected: 'an integer from 1', got: String(face) }, '--face', face);
      }
      if (options.gaps !== 'refuse' && options.gaps !== 'hold') {
        throw new InvalidOptionError(
          { expected: 'refuse or hold', got: String(options.gaps) },
          '--gaps',
          options.gaps,
        );
      }
      const output = String(
        outputOf(word, options.output) ?? `${film.slice(0, film.length - path.extname(film).length)}.motion`,
      );
      const { stdout, stderr, env } = context;
      const status = new StatusLine(stderr, { dumb: env.TERM === 'dumb' });
      status.begin('Following the face');
      await untilStopped({ stderr, clear: () => status.clear() }, async (signal) => {
        const { frames, fps } = await extractMotion(film, {
          output,
          face: face as number | undefined,
          gaps: options.gaps as GapChoice,
          headOnly: options.headOnly === true,
          overwrite: options.force === true,
          ffmpegPath: env.FFMPEG_PATH,
          onNotice: (message) => status.note(message),
          onProgress: (done, total) => {
            if (total)
              status.update(`${done.toFixed(0)}/${total.toFixed(0)} s`, Math.min(100, (100 * done) / total));
          },
          signal,
        });
        status.clear();
        stdout.write(
          `${output}\n${(frames / fps).toFixed(1)} s of motion, ${frames} frames at ${fps.toFixed(3).replace(/\.?0+$/, '')} fps\n`,
        );
      });
    });

  command
    .command('show')
    .description('draw motion as curves in an image, or as a landmark video')
    .argument('<motion>', 'motion file, or a head-pose template (.npy)')
    .argument('[output]', 'as with --output')
    .option('-o, --output <file>', 'image (.png) or video (.mp4) to write')
    .option('--force', 'overwrite an existing file')
    .addHelpText(
      'after',
      '\nExamples:\n  lcm-portrait motion show talk.motion --output curves.png\n  lcm-portrait motion show talk.motion --output landmarks.mp4',
    )
    .action(async (motion: string, word: string | undefined, options: Values) => {
      const output = required(outputOf(word, options.output));
      const { showMotion } = await loadTools();
      await showMotion(motion, {
        output,
        overwrite: options.force === true,
        ffmpegPath: context.env.FFMPEG_PATH,
      });
      context.stdout.write(`${output}\n`);
    });

  command
    .command('convert')
    .description(
      "turn AniPortrait's head poses (.npy) into a motion file, and a motion file into them or into a landmark video (.mp4)",
    )
    .argument('<from>', 'motion file or .npy')
    .argument('[output]', 'as with --output')
    .option('-o, --output <file>', 'motion file, .npy or .mp4 to write')
    .option('--force', 'overwrite an existing file')
    .addHelpText(
      'after',
      '\nExamples:\n  lcm-portrait motion convert pose_temp.npy --output pose_temp.motion\n  lcm-portrait motion convert talk.motion --output landmarks.mp4',
    )
    .action(async (from: string, word: string | undefined, options: Values) => {
      const to = required(outputOf(word, options.output));
      const { convertMotion } = await loadTools();
      await convertMotion(from, to, {
        overwrite: options.force === true,
        ffmpegPath: context.env.FFMPEG_PATH,
      });
      context.stdout.write(`${to}\n`);
    });
  return command;
}
