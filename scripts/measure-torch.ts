/**
 * The embedded bundle's denoiser beside eager PyTorch: same weights, same inputs, same sampler, same threads, in turns.
 *
 *   node --import=tsx scripts/measure-torch.ts [--python python3] [--repeats 9] [--threads N] [--flops] [--output FILE.md]
 *
 * Python with torch and numpy is needed. What is timed is one window from noise to clean latents. `--flops` also asks
 * PyTorch to count the operations of one evaluation.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { examineMachine } from '../src/compare/machine-facts.ts';
import { type Spread, spreadOf } from '../src/metrics/series.ts';
import { Engine } from '../src/runtime/engine.ts';
import { openDenoiserJob } from './lib/denoiser-job.ts';
import { markdownTable } from './lib/markdown-table.ts';
import { startTorchDenoiser, TORCH_FORMS, type TorchForm } from './lib/torch-denoiser.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    repeats: { type: 'string', default: '9' },
    threads: { type: 'string', default: String(availableParallelism()) },
    flops: { type: 'boolean', default: false },
    output: { type: 'string' },
  },
});
const repeats = Number(values.repeats);
const threads = Number(values.threads);

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

const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-torch-'));
const engine = await Engine.open({ device: 'cpu', threads });
try {
  const job = await openDenoiserJob(engine, 'tiny');
  const torch = await startTorchDenoiser({ python: values.python, folder, threads, job });
  try {
    if (values.flops) {
      const counted = await torch.flops();
      const apart = counted / job.flops - 1;
      console.error(
        `FLOP of one evaluation: ${job.flops} here, ${counted} by PyTorch, ${(100 * apart).toFixed(2)} % apart`,
      );
    }
    const ours: number[] = [];
    const theirs = Object.fromEntries(TORCH_FORMS.map((form) => [form, [] as number[]])) as Record<
      TorchForm,
      number[]
    >;
    let latents: Float32Array | undefined;
    for (let round = 0; round < repeats; round++) {
      const timeOwn = async (): Promise<number> => {
        const begin = performance.now();
        latents = await job.denoise();
        return (performance.now() - begin) / 1000;
      };
      ours.push(await timeSecond(timeOwn));
      for (const form of TORCH_FORMS) theirs[form].push(await timeSecond(() => torch.run(form)));
    }
    const largest = latents!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const milliseconds = ({ median, min, max }: Spread): string =>
      `${(1000 * median).toFixed(0)} (${(1000 * min).toFixed(0)}–${(1000 * max).toFixed(0)})`;
    const own = spreadOf(ours);
    const rows = [['this program', milliseconds(own), '1', '–']];
    for (const form of TORCH_FORMS) {
      const output = await torch.output(form);
      const worst = latents!.reduce((most, value, i) => Math.max(most, Math.abs(value - output[i]!)), 0);
      if (!(worst <= TOLERANCE * largest)) {
        throw new Error(
          `Cannot compare: expected equal latents, got ${worst} of ${largest} apart for ${form}`,
        );
      }
      // Of each round by itself: what slows the machine down slows all of a round.
      const ratio = spreadOf(theirs[form].map((time, i) => time / ours[i]!));
      rows.push([
        `PyTorch, ${WHAT[form]}`,
        milliseconds(spreadOf(theirs[form])),
        `${ratio.median.toFixed(2)}× (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
        worst.toExponential(1),
      ]);
    }
    const { versions } = examineMachine('cpu', threads);
    const report = [
      '# The denoiser beside PyTorch',
      '',
      `One window of ${job.frames} frames, ${job.timesteps.length} LCM steps, bundle tiny, float32, ${threads} threads on ${cpus()[0]?.model.trim()}; onnxruntime-node`,
      `${versions.onnxruntime}, PyTorch ${torch.version} eager in inference mode with its own scaled_dot_product_attention. Same weights, noise, reference and`,
      `pose features. ${repeats} rounds; in each, every form runs twice in its turn and the second run counts; medians and ranges. Latents reach ${largest.toFixed(1)}.`,
      '',
      markdownTable(['', 'ms a window', 'PyTorch’s time against ours', 'largest difference'], rows),
      '',
      `    node --import=tsx scripts/measure-torch.ts --repeats ${repeats} --threads ${threads}`,
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
