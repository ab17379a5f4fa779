/** `lcm-portrait models calibrate`: measures what `--precision int8` needs of a bundle. */
import { Command } from 'commander';
import type { CalibrateEvent, CalibrateResult } from '../compare/calibrate.ts';
import { parseNumber } from '../pipeline/options/option-types.ts';
import type { CliContext } from './context.ts';
import { addCommonFlags, type CommonFlags } from './models-context.ts';
import { collect } from './option-flags.ts';
import { runMeasuring } from './run-measuring.ts';

interface CalibrateFlags extends CommonFlags {
  readonly portrait?: string[];
  readonly audio?: string[];
  readonly originalAudio?: string[];
  readonly threads?: string;
}

/** `models calibrate`. */
export function createCalibrateCommand(context: CliContext): Command {
  const command = new Command('calibrate')
    .description('measure activation ranges, for --precision int8')
    .argument('<bundle>', 'name or folder of a bundle')
    .option('--portrait <image>', 'image of a face; repeatable (default: the three samples)', collect)
    .option('--audio <file>', 'speech for the preset fast; repeatable (default: the samples)', collect)
    .option(
      '--original-audio <file>',
      'speech for the preset original; may be repeated (default: the shorter sample; with --audio: none)',
      collect,
    )
    .option('--threads <n>', 'threads of the engine (default: one for each core)')
    .addHelpText(
      'after',
      `
Example:
  lcm-portrait models calibrate aniportrait --portrait face.jpg --audio speech.wav
  lcm-portrait animate --bundle aniportrait --precision int8 --portrait face.jpg --audio speech.wav --output talk.mp4

Renders each portrait with each recording, on the CPU in float32. The more varied they are, the better the ranges.`,
    );
  addCommonFlags(command);
  return command.action(async (bundle: string, flags: CalibrateFlags) => {
    const { portrait, audio, originalAudio, threads } = flags;
    const { FFMPEG_PATH } = context.env;
    let [clip, number, of] = ['', 0, 0];
    await runMeasuring<CalibrateEvent, CalibrateResult>(
      context,
      { quiet: flags.quiet === true, json: flags.json === true },
      {
        title: 'opening the bundle',
        measure: ({ calibrate }, inside) =>
          calibrate({
            bundle,
            ...(portrait !== undefined && { portraits: portrait }),
            ...(audio !== undefined && { audios: audio, originalAudios: [] }),
            ...(originalAudio !== undefined && { originalAudios: originalAudio }),
            ...(threads !== undefined && { threads: parseNumber(threads) as number }),
            ...(FFMPEG_PATH && { ffmpegPath: FFMPEG_PATH }),
            ...inside,
          }),
        show: (status, event) => {
          if (event.type === 'notice') return status.note(event.message);
          if (event.type === 'clip') {
            ({ clip, number, of } = event);
            return status.begin(`clip ${number} of ${of}, ${clip}`);
          }
          const { done, total } = event;
          status.update(`${done} of ${total} evaluations`, (100 * done) / total);
        },
        format: ({ path, layers }) =>
          `${path}\n${Object.entries(layers)
            .map(([network, count]) => `${network}: ${count} layers`)
            .join(', ')} can be computed in integers\n`,
      },
    );
  });
}
