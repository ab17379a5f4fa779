/** `lcm-portrait bench --profile`: where the time of the main job goes. */
import type { Command } from 'commander';
import { figures, gigaFlops, percent } from '../compare/number-format.ts';
import type { OperatorGroup } from '../compare/operator-profile.ts';
import type { ProfileOptions, ProfileReport } from '../compare/profile-options.ts';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import { parseNumber } from '../pipeline/options/option-types.ts';
import { findInvalidOptions } from '../pipeline/resolve-options.ts';
import type { CliContext } from './context.ts';
import { formatTable } from './format-table.ts';
import { createProgressDisplay } from './progress-bar.ts';
import { untilStopped } from './stop-signals.ts';

/** Flags that mean nothing without `--profile`, and those that mean nothing with it. */
const ONLY_WITH = ['portrait', 'audio', 'preset', 'force'] as const;
const ONLY_WITHOUT = ['networks', 'frames', 'seconds', 'roofline'] as const;
/** Networks and operators of the terminal's tables; the report has all. */
const MAX_NETWORKS = 4;
const MAX_OPERATORS = 8;
/** Share of the time of all networks below which one is left out of the tables. */
const MIN_SHARE = 0.01;

/** Adds `--profile` and the flags that belong to it. */
export function addProfileFlags(command: Command): Command {
  return command
    .option('--profile <trace.json>', 'profile the main job: a trace for chrome://tracing, and tables')
    .option('--portrait <image>', 'picture of a face to profile with (default: the sample)')
    .option('--audio <file>', 'speech to profile with (default: the sample)')
    .option('--preset <name>', 'preset of the bundle to profile (default: fast)')
    .option('--force', 'overwrite the trace');
}

/**
 * What to profile; undefined without `--profile`.
 *
 * @param stray - errors that are reported with those that are found here.
 * @throws {@link InvalidOptionsError} that names all flags that are wrong.
 */
export function readProfileFlags(
  command: Command,
  stray: readonly InvalidOptionError[],
): ProfileOptions | undefined {
  const values: Readonly<Record<string, unknown>> = command.opts();
  const { profile: output, force } = values;
  const misplaced = (output === undefined ? ONLY_WITH : ONLY_WITHOUT).filter(
    (name) => values[name] !== undefined,
  );
  const errors = misplaced.map((name) => {
    const expected = output === undefined ? 'it together with --profile' : 'none together with --profile';
    const message = `Cannot use --${name}: expected ${expected}, got ${String(values[name])}`;
    return new InvalidOptionError(message, `--${name}`, values[name]);
  });
  const given = {
    bundle: values.bundle,
    portrait: values.portrait,
    audio: values.audio,
    preset: values.preset,
    device: values.devices,
    threads: typeof values.threads === 'string' ? parseNumber(values.threads) : undefined,
  };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (output !== undefined) {
    const required = { portrait: 'sample', audio: 'sample', output: 'clip.mp4' };
    errors.push(...findInvalidOptions({ ...required, ...options }));
  }
  if (errors.length > 0) throw new InvalidOptionsError([...stray, ...errors]);
  return output === undefined
    ? undefined
    : { ...options, output: output as string, overwrite: force === true };
}

/** Profiles and prints. */
export async function runProfile(
  context: CliContext,
  options: ProfileOptions,
  { quiet, json }: { readonly quiet: boolean; readonly json: boolean },
): Promise<void> {
  const { stdout, stderr, env } = context;
  const writeJson = (value: object) => stdout.write(`${JSON.stringify(value)}\n`);
  const display = createProgressDisplay(stderr, { quiet: quiet || json, dumb: env.TERM === 'dumb' });
  await untilStopped({ stderr, clear: () => display.close() }, async (signal) => {
    const { profile } = await context.loadComparison();
    signal.throwIfAborted();
    const report = await profile({
      ...options,
      ...(env.FFMPEG_PATH && { ffmpegPath: env.FFMPEG_PATH }),
      signal,
      onProgress: (event) => {
        if (json) writeJson(event);
        else if (!signal.aborted) display.update(event);
      },
    });
    display.close();
    if (json) writeJson({ type: 'result', report });
    else stdout.write(formatProfile(report));
  });
}

/** Groups of one operator together, whatever their shapes; the most expensive first. */
function byOperator(groups: readonly OperatorGroup[]): Omit<OperatorGroup, 'shapes'>[] {
  const sums = new Map<
    string,
    { operator: string; calls: number; seconds: number; flops: number; bytes: number }
  >();
  for (const { operator, calls, seconds, flops, bytes } of groups) {
    const sum = sums.get(operator) ?? { operator, calls: 0, seconds: 0, flops: 0, bytes: 0 };
    sum.calls += calls;
    sum.seconds += seconds;
    sum.flops += flops;
    sum.bytes += bytes;
    sums.set(operator, sum);
  }
  return [...sums.values()].sort((a, b) => b.seconds - a.seconds);
}

function operatorTable({
  network,
  runs,
  seconds,
  between,
  operators,
}: ProfileReport['networks'][number]): string {
  const all = byOperator(operators);
  const rest = all.slice(MAX_OPERATORS);
  const row = (name: string, calls: string, time: number, flops: number): string[] => [
    name,
    calls,
    figures((1000 * time) / runs),
    percent(time / seconds),
    flops > 0 ? figures(flops / time / 1e9) : '–',
  ];
  const perRun = (calls: number): string => String(Number((calls / runs).toFixed(1)));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return formatTable(
    [`${network}, ${runs === 1 ? 'one run' : `${runs} runs`}`, 'calls a run', 'ms a run', 'share', 'GFLOP/s'],
    [
      ...all
        .slice(0, MAX_OPERATORS)
        .map(({ operator, calls, seconds: time, flops }) => row(`  ${operator}`, perRun(calls), time, flops)),
      ...(rest.length === 0
        ? []
        : [
            row(
              `  ${rest.length} others`,
              perRun(sum(rest.map(({ calls }) => calls))),
              sum(rest.map(({ seconds: time }) => time)),
              0,
            ),
          ]),
      row('  between operators', '–', between, 0),
      row('  all', '–', seconds, sum(all.map(({ flops }) => flops))),
    ],
  );
}

/** Tables of stages, engines and operators. */
function formatProfile(report: ProfileReport): string {
  const { trace, frames, fps, times, networks, engines, limit, machine, sampler, steps, bundle } = report;
  const stages = formatTable(
    ['stage', 's', 'of the job'],
    Object.entries(times).map(([stage, seconds]) => [
      stage,
      figures(seconds),
      percent(seconds / times.total),
    ]),
  );
  const use = formatTable(
    ['thread', 'busy, s', 'from first to last run, s', 'busy'],
    engines.map(({ engine, busy, span }) => [engine, figures(busy), figures(span), percent(busy / span)]),
  );
  const all = networks.reduce((sum, { seconds }) => sum + seconds, 0);
  const shown = networks.filter(({ seconds }) => seconds >= MIN_SHARE * all).slice(0, MAX_NETWORKS);
  return [
    trace,
    `${frames} frames, ${figures(frames / fps)} s, ${sampler} ${steps} steps, bundle ${bundle}: ${figures(times.total)} s, ${figures((times.total * fps) / frames)} s for a second of video`,
    '',
    stages,
    use,
    ...shown.map(operatorTable),
    `limit, by products of matrices: ${gigaFlops(limit.flops, '/s')}; stages overlap and wait for each other, see the trace`,
    `${machine.processor}, ${machine.cores} cores, onnxruntime-node ${machine.versions.onnxruntime}`,
    '',
  ].join('\n');
}
