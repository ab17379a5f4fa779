/**
 * The embedded bundle's denoiser compared with eager PyTorch: same weights, same inputs, same sampler, same threads, in turns.
 *
 *   node --import=tsx scripts/bench/measure-torch.ts [--precisions float32,int8] [--python python3] [--repeats 9] [--threads N]
 *     [--clock processor] [--flops] [--output FILE.md]
 *
 * Python with torch and numpy is needed. What is timed is one window from noise to clean latents. `--flops` also asks
 * PyTorch to count the operations of one evaluation; `--clock processor` counts processor time, for a machine that is not quiet. PyTorch computes in float32 whatever `--precisions` says of this program.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { examineMachine } from '../../src/compare/machine-facts.ts';
import { type Spread, spreadOf } from '../../src/metrics/series.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { JOB_PRECISIONS, type JobPrecision, openDenoiserJob } from '../lib/denoiser-job.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { type Clock, startTorchDenoiser, TORCH_FORMS, type TorchForm } from '../lib/torch-denoiser.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    repeats: { type: 'string', default: '9' },
    threads: { type: 'string', default: String(availableParallelism()) },
    precisions: { type: 'string', default: JOB_PRECISIONS.join(',') },
    clock: { type: 'string', default: 'wall' },
    flops: { type: 'boolean', default: false },
    output: { type: 'string' },
  },
});
const repeats = Number(values.repeats);
const threads = Number(values.threads);
const clock: Clock = values.clock === 'processor' ? 'processor' : 'wall';
const asked = values.precisions.split(',');
const precisions = JOB_PRECISIONS.filter((precision) => asked.includes(precision));
if (!precisions.includes('float32') || precisions.length !== asked.length) {
  throw new Error(`Cannot measure ${values.precisions}: expected float32, or float32,int8`);
}

/** Seconds between turns: threads of the one before would otherwise spin on the cores of the next. */
const REST = 0.4;

/** Float32 sums in another order, over four steps that feed on each other. */
const TOLERANCE = 2e-4;

const WHAT: Record<TorchForm, string> = {
  plain: 'as written: the reference’s tokens are projected for every frame at every step',
  channels_last: 'the same in channels_last',
  projected: 'with the reference’s keys and values projected once, as here',
  projected_cl: 'that in channels_last',
};

/** A first run that is not counted, so that neither program's memory has to come back from where it rested; then one that is. */
async function timeSecond(run: () => Promise<number>): Promise<number> {
  await setTimeout(1000 * REST);
  await run();
  return run();
}

function secondsOn(which: Clock): number {
  if (which === 'wall') return performance.now() / 1000;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-torch-'));
const engine = await Engine.open({ device: 'cpu', threads });
try {
  const job = await openDenoiserJob(engine, 'tiny');
  const torch = await startTorchDenoiser({ python: values.python, folder, threads, clock, job });
  try {
    if (values.flops) {
      const counted = await torch.flops();
      const apart = counted / job.flops - 1;
      console.error(
        `FLOP of one evaluation: ${job.flops} here, ${counted} by PyTorch, ${(100 * apart).toFixed(2)} % apart`,
      );
    }
    const times = <T extends string>(names: readonly T[]): Record<T, number[]> =>
      Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<T, number[]>;
    const ours = times(precisions);
    const theirs = times(TORCH_FORMS);
    const latents: Partial<Record<JobPrecision, Float32Array>> = {};
    for (let round = 0; round < repeats; round++) {
      for (const precision of precisions) {
        const timeOwn = async (): Promise<number> => {
          const begin = secondsOn(clock);
          latents[precision] = await job.denoise(precision);
          return secondsOn(clock) - begin;
        };
        ours[precision].push(await timeSecond(timeOwn));
      }
      for (const form of TORCH_FORMS) theirs[form].push(await timeSecond(() => torch.run(form)));
    }
    const exact = latents.float32!;
    const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const distance = (other: Float32Array): number =>
      exact.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
    const milliseconds = ({ median, min, max }: Spread): string =>
      `${(1000 * median).toFixed(0)} (${(1000 * min).toFixed(0)}–${(1000 * max).toFixed(0)})`;
    // Of each round by itself: what slows the machine down slows all of a round.
    const faster = (form: TorchForm, precision: JobPrecision): string => {
      const ratio = spreadOf(theirs[form].map((time, i) => time / ours[precision][i]!));
      return `${ratio.median.toFixed(2)}× (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`;
    };
    const rows = precisions.map((precision) => [
      `this program, ${precision}`,
      milliseconds(spreadOf(ours[precision])),
      ...precisions.map(() => ''),
      precision === 'float32' ? '–' : distance(latents[precision]!).toExponential(1),
    ]);
    for (const form of TORCH_FORMS) {
      const worst = distance(await torch.output(form));
      if (!(worst <= TOLERANCE * largest)) {
        throw new Error(
          `Cannot compare: expected equal latents, got ${worst} of ${largest} apart for ${form}`,
        );
      }
      rows.push([
        `PyTorch, ${WHAT[form]}`,
        milliseconds(spreadOf(theirs[form])),
        ...precisions.map((precision) => faster(form, precision)),
        worst.toExponential(1),
      ]);
    }
    const { versions } = examineMachine('cpu', threads);
    const report = [
      '# The denoiser against PyTorch',
      '',
      `One window of ${job.frames} frames, ${job.timesteps.length} LCM steps, bundle tiny, ${threads} threads on ${cpus()[0]?.model.trim()}; onnxruntime-node`,
      `${versions.onnxruntime}, PyTorch ${torch.version} eager, float32, in inference mode with its own scaled_dot_product_attention. Same weights, noise, reference and`,
      `pose features. ${repeats} rounds; in each, every form runs twice in its turn and the second run counts; medians and ranges. Latents reach ${largest.toFixed(1)}.`,
      '',
      markdownTable(
        [
          '',
          clock === 'wall' ? 'ms a window' : 'ms of processor a window',
          ...precisions.map((precision) => `PyTorch’s time against ours, ${precision}`),
          'largest difference from ours, float32',
        ],
        rows,
      ),
      '',
      `    node --import=tsx scripts/bench/measure-torch.ts --precisions ${precisions} --repeats ${repeats} --threads ${threads} --clock ${clock}`,
      '',
    ].join('\n');
    console.log(report);
    if (values.output !== undefined) {
      await mkdir(path.dirname(values.output), { recursive: true });
      await writeFile(values.output, report);
    }
  } finally {
    await torch.close();
  }
} finally {
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}
