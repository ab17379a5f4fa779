/** `lcm-portrait bench`: the engine by itself. */
import { Command } from 'commander';
import {
  BENCH_NETWORKS,
  type BenchEvent,
  type BenchOptions,
  type BenchReport,
  checkBenchOptions,
} from '../compare/bench-options.ts';
import { figures, gigaFlops, percent, spreadText } from '../compare/number-format.ts';
import { InvalidOptionsError } from '../errors.ts';
import { findStrayArguments } from './animate-flags.ts';
import { addProfileFlags, readProfileFlags, runProfile } from './bench-profile.ts';
import type { CliContext } from './context.ts';
import { formatRoofline } from './format-roofline.ts';
import { formatTable } from './format-table.ts';
import { type MeasuringSwitches, runMeasuring } from './run-measuring.ts';

/** The command, ready to be added to the program. */
export function createBenchCommand(context: CliContext): Command {
  const command = addProfileFlags(new Command('bench'))
    .option('--bundle <name|folder>', 'networks to measure (default: tiny)')
    .option('--networks <names>', `some of ${BENCH_NETWORKS.join(', ')} (default: all)`)
    .option(
      '--frames <list>',
      'lengths of windows and batches, e.g. 4,12 (default: a third of a window, a window)',
    )
    .option('--devices <list>', 'e.g. cpu,cuda,webgpu (default: auto)')
    .option(
      '--precisions <list>',
      'e.g. float32,int8 or float16 (default: auto, what the device computes in)',
    )
    .option('--threads <list>', 'threads of the engine, e.g. 1,2 (default: one for each core)')
    .option('--seconds <s>', 'how long each network runs, 0.1 to 60 (default: 1)')
    .option('--roofline', 'also count the bytes that networks go through, and measure the memory')
    .option('--quiet', 'print no progress and no notes')
    .option('--json', 'print rows as they come and the report as JSON, one object a line')
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
    const { options, quiet, json } = readFlags(command);
    if (profiled !== undefined) {
      if (stray.length > 0) throw new InvalidOptionsError(stray);
      await runProfile(context, profiled, { quiet, json });
      return;
    }
    try {
      checkBenchOptions(options);
    } catch (error) {
      if (!(error instanceof InvalidOptionsError)) throw error;
      throw new InvalidOptionsError([...stray, ...error.errors]);
    }
    if (stray.length > 0) throw new InvalidOptionsError(stray);
    await run(context, options, { quiet, json });
  });
}

function readFlags(command: Command): { options: BenchOptions; quiet: boolean; json: boolean } {
  const values: Record<string, unknown> = command.opts();
  const list = (key: keyof BenchOptions): string[] | undefined =>
    typeof values[key] === 'string' ? values[key].split(',').map((part) => part.trim()) : undefined;
  const numbers = (key: keyof BenchOptions): number[] | undefined =>
    list(key)?.map((part) => (part === '' ? Number.NaN : Number(part)));
  const given = {
    bundle: values.bundle,
    networks: list('networks'),
    frames: numbers('frames'),
    devices: list('devices'),
    precisions: list('precisions'),
    threads: numbers('threads'),
    seconds: numbers('seconds')?.[0],
    roofline: values.roofline,
  };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { options: options as BenchOptions, quiet: values.quiet === true, json: values.json === true };
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
