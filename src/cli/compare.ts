/** `lcm-portrait compare`: samplers against each other, in time and in quality. */

import path from 'node:path';
import { Command } from 'commander';
import type { CompareEvent, CompareOptions, CompareStage } from '../compare/compare-options.ts';
import type { CompareReport } from '../compare/report.ts';
import { REPORT_FILES } from '../compare/report-folder.ts';
import { InvalidOptionsError } from '../errors.ts';
import { addCompareFlags, readCompareFlags } from './compare-flags.ts';
import type { CliContext } from './context.ts';
import { formatSeconds } from './format.ts';
import { formatComparison } from './format-compare.ts';
import { type MeasuringSwitches, runMeasuring } from './run-measuring.ts';
import type { StatusLine } from './status-line.ts';

const STAGE_NAMES: Record<CompareStage, string> = {
  prepare: 'Reading inputs',
  load: 'Loading networks',
  render: 'Rendering, alternating',
  'whole-job': 'Rendering whole jobs',
  look: 'Comparing frames',
  write: 'Writing the report',
};

/** The command, ready to be added to the program. */
export function createCompareCommand(context: CliContext): Command {
  const command = new Command('compare');
  addCompareFlags(command).addHelpText(
    'after',
    `
Example:
  lcm-portrait compare --portrait face.jpg --audio speech.wav --output report --sweep steps=1,2,4,8

Renders the clip with the preset original (as published, and with exact optimisations), the preset fast, and the
variants of --with and --sweep; alternating, on the same noise. Writes report.html, report.json,
side-by-side.mp4 and a video of each. Ctrl-C keeps what is finished; a second Ctrl-C does not.`,
  );
  return command.action(async () => {
    const { options, quiet, json, errors } = readCompareFlags(command);
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    await run(context, options, { quiet, json });
  });
}

function run(context: CliContext, options: CompareOptions, switches: MeasuringSwitches): Promise<void> {
  const { FFMPEG_PATH: ffmpegPath } = context.env;
  return runMeasuring<CompareEvent, CompareReport>(context, switches, {
    title: STAGE_NAMES.prepare,
    onStop: 'what was finished is kept',
    measure: ({ compare }, inside) => compare({ ...options, ...(ffmpegPath && { ffmpegPath }), ...inside }),
    show,
    format: (report) => formatComparison(report, path.join(options.output, REPORT_FILES.html)),
  });
}

function show(status: StatusLine, event: CompareEvent): void {
  switch (event.type) {
    case 'stage':
      status.begin(STAGE_NAMES[event.stage]);
      break;
    case 'evaluations': {
      const share = Math.floor(100 * event.fraction + 1e-9);
      const left =
        event.remaining === undefined || event.done === event.total
          ? ''
          : `, about ${formatSeconds(Math.ceil(event.remaining))} left`.replace('.0 s', ' s');
      status.update(`${share} %, ${event.done}/${event.total} evaluations${left}`, share);
      break;
    }
    case 'notice':
      status.note(event.message);
      break;
  }
}
