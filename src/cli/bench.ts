/** `lcm-portrait bench`: the engine by itself. */
import { Command } from 'commander';
import {
  BENCH_OPTIONS,
  type BenchEvent,
  type BenchOptions,
  type BenchReport,
} from '../compare/bench-options.ts';
import { figures, gigaFlops, percent, spreadText } from '../compare/number-format.ts';
import { InvalidOptionsError } from '../errors.ts';
import { findWrongOptions } from '../pipeline/options/check-options.ts';
import { findStrayArguments } from './animate-flags.ts';
import { addProfileFlags, readProfileFlags, runProfile } from './bench-profile.ts';
import type { CliContext } from './context.ts';
import { formatRoofline } from './format-roofline.ts';
import { formatTable } from './format-table.ts';
import { addTableFlags, readTableFlags } from './option-flags.ts';
import { type MeasuringSwitches, runMeasuring } from './run-measuring.ts';

/** The command, ready to be added to the program. */
export function createBenchCommand(context: CliContext): Command {
  const command = addProfileFlags(new Command('bench'));
  addTableFlags(command, BENCH_OPTIONS)
    .option('--quiet', 'print neither progress nor notes')
    .option('--json', 'print rows and the report as JSON, one object per line')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
Example:
  lcm-portrait bench --networks denoising-unet --frames 4,8,12 --threads 1,2
  lcm-portrait bench --profile trace.json --portrait face.jpg --audio speech.wav`,
    );
  return command.action(async () => {
    const stray = findStrayArguments(command);
    const profiled = readProfileFlags(command, stray);
    const values: Readonly<Record<string, unknown>> = command.opts();
    const options: BenchOptions = readTableFlags(values, BENCH_OPTIONS);
    const switches = { quiet: values.quiet === true, json: values.json === true };
    if (profiled !== undefined) {
      if (stray.length > 0) throw new InvalidOptionsError(stray);
      await runProfile(context, profiled, switches);
      return;
    }
    const errors = [...stray, ...findWrongOptions(BENCH_OPTIONS, [], options, 'measure')];
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    await run(context, options, switches);
  });
}

/** The table of a benchmark. */
function formatBench(report: BenchReport): string {
  const { rows, limits, machine } = report;
  const table = formatTable(
    ['network', 'device', 'precision', 'threads', 'frames', 'one run, ms', 'GFLOP', 'GFLOP/s', 'of limit'],
    rows.map(({ network, device, precision, threads, frames, run, flops, achieved, limitShare }) => [
      network,
      device,
      precision,
      threads === null ? 'all' : String(threads),
      frames === null ? '–' : String(frames),
      spreadText({
        median: run.median * 1000,
        min: run.min * 1000,
        max: run.max * 1000,
        count: run.count,
      }),
      figures(flops / 1e9),
      figures(achieved / 1e9),
      percent(limitShare),
    ]),
  );
  const found = limits.map(
    ({ device, precision, threads, flops }) =>
      `${gigaFlops(flops, '/s')} in ${precision} on ${device}${threads === null ? '' : ` with ${threads} threads`}`,
  );
  return `${table}\n${formatRoofline(report)}limit, by products of matrices: ${found.join('; ')}\n${machine.processor}, ${machine.cores} cores, onnxruntime-node ${machine.versions.onnxruntime}\n`;
}

function run(context: CliContext, options: BenchOptions, switches: MeasuringSwitches): Promise<void> {
  return runMeasuring<BenchEvent, BenchReport>(context, switches, {
    title: 'Measuring',
    measure: ({ bench }, inside) => bench({ ...options, ...inside }),
    show: (status, event) => {
      if (event.type === 'notice') status.note(event.message);
      else {
        const { done, total, row } = event;
        status.update(`${done} of ${total}, ${row.network}`, (100 * done) / total);
      }
    },
    format: formatBench,
  });
}
