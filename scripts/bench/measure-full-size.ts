/**
 * AniPortrait's denoiser at its published size, from a bundle's files: what building takes, what opening again takes, and
 * how fast one window is compared with eager PyTorch on the same weights and inputs.
 *
 *   node --import=tsx scripts/bench/measure-full-size.ts --bundle FOLDER [--sources FOLDER] [--cache FOLDER] [--python python3] [--frames 2]
 *     [--repeats 5] [--output FILE.md]
 *
 * With --sources, published files are imported in both precisions first, into the folder for temporary files, where they
 * need up to 11 GB for a while. Python with torch and numpy is needed for the comparison only; without --python there is none.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { importAniPortrait } from '../../src/bundles/import-aniportrait.ts';
import { type Bundle, openBundle } from '../../src/models/bundle.ts';
import { latentSize } from '../../src/models/bundle-description.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { attentionSites, poseFeatureSizes } from '../../src/models/unet-config.ts';
import { openBundleGraph } from '../../src/networks/bundle-graphs.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { TorchUnet } from '../lib/torch-unet.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    bundle: { type: 'string' },
    sources: { type: 'string' },
    cache: { type: 'string' },
    python: { type: 'string' },
    frames: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
    output: { type: 'string' },
    /** What a child process of this script does. */
    only: { type: 'string' },
  },
});
if (values.bundle === undefined) throw new Error('--bundle is needed');
const frames = Number(values.frames);
const repeats = Number(values.repeats);
const SCRIPT = fileURLToPath(import.meta.url);

const median = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
const peak = (): number => process.resourceUsage().maxRSS * 1024;

interface Stored {
  readonly seconds: number;
  readonly written: number;
  readonly peakBytes: number;
  readonly modelBytes: number;
  readonly largestBytes: number;
}

function openGraph(bundle: Bundle) {
  return openBundleGraph(bundle, 'denoising-unet', {
    windowFrames: frames,
    decodeFrames: 1,
    loras: [],
    device: 'cpu',
    precision: 'float32',
  });
}

/** Builds the denoiser, or finds it in the cache; what a process that does nothing else needs for it. */
async function store(cacheFolder: string): Promise<Stored> {
  const bundle = await openBundle(values.bundle!);
  const begin = performance.now();
  const { graph, weightsKey, dispose } = openGraph(bundle);
  const cache = new WeightCache({ folder: cacheFolder });
  if (values.only === 'build') await cache.discard(weightsKey);
  const { model, written } = await cache.store(weightsKey, graph);
  const seconds = (performance.now() - begin) / 1000;
  const largestBytes = Math.max(...graph.externalTensors().map(({ length }) => length));
  dispose();
  return { seconds, written, peakBytes: peak(), modelBytes: model.length, largestBytes };
}

interface Imported {
  readonly seconds: number;
  readonly bytes: number;
  readonly peakBytes: number;
}

/** Imports the published files into a store that goes afterwards. */
async function measureImport(half: boolean): Promise<Imported> {
  const store = await mkdtemp(path.join(tmpdir(), 'full-size-import-'));
  try {
    const begin = performance.now();
    const { bytes } = await importAniPortrait(values.sources!, { store, half });
    return { seconds: (performance.now() - begin) / 1000, bytes, peakBytes: peak() };
  } finally {
    await rm(store, { recursive: true, force: true });
  }
}

type Part = 'build' | 'find' | 'import' | 'import-half';

/** Does one part in a process of its own, whose memory is its alone. */
async function inChild<T>(part: Part, cacheFolder: string): Promise<T> {
  const args = ['--import=tsx', SCRIPT, '--bundle', values.bundle!, '--frames', `${frames}`, '--only', part];
  if (values.sources !== undefined) args.push('--sources', values.sources);
  const { stdout } = await promisify(execFile)(process.execPath, [...args, '--cache', cacheFolder]);
  return JSON.parse(stdout) as T;
}

/** Inputs of one evaluation, by seed. */
function makeInputs({ description }: Bundle): Record<string, Tensor> {
  const unet = description.denoisingUnet;
  const size = latentSize(description);
  const inputs: Record<string, Tensor> = {};
  const add = (name: string, dims: readonly number[]): void => {
    const stream = new RandomStream([Object.keys(inputs).length]);
    inputs[name] = { data: stream.fillNormal(new Float32Array(elementCount(dims))), dims };
  };
  add('latents', [1, unet.inChannels, frames, size.height, size.width]);
  add('image_embeds', [1, unet.crossAttentionDim!]);
  poseFeatureSizes(unet, size).forEach(({ channels, height, width }, i) => {
    add(`pose.${i}`, [1, channels, frames, height, width]);
  });
  for (const { path: site, height, width, channels } of attentionSites(unet, size)) {
    add(`key:${site}`, [1, height * width, channels]);
    add(`value:${site}`, [1, height * width, channels]);
  }
  inputs.timestep = { data: Float32Array.of(499), dims: [1] };
  return inputs;
}

/** The engine's own matrix product of 2048³, best of some runs, in GFLOP/s. */
async function measurePeak(engine: Engine): Promise<number> {
  const size = 2048;
  const graph = new GraphBuilder('sgemm');
  const weight = new RandomStream([1]).fillNormal(new Float32Array(size * size));
  const x = graph.input('x', [size, size]);
  const product = graph.op('MatMul', [x, graph.weight('w', weight, [size, size])]);
  // Only a number leaves the engine: copying the product would be timed as well.
  const sum = graph.op('ReduceSum', [product, graph.int64([0, 1])], { keepdims: 1 });
  graph.output('y', sum, [1, 1]);
  const network = await engine.load('sgemm', graph.toBytes());
  const data = new RandomStream([2]).fillNormal(new Float32Array(size * size));
  await network.bind({ x: { data, dims: [size, size] } });
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 8; i++) {
    const begin = performance.now();
    await network.run({});
    best = Math.min(best, performance.now() - begin);
  }
  await network.dispose();
  return (2 * size ** 3) / best / 1e6;
}

if (values.only === 'build' || values.only === 'find') {
  console.log(JSON.stringify(await store(values.cache!)));
} else if (values.only !== undefined) {
  console.log(JSON.stringify(await measureImport(values.only === 'import-half')));
} else {
  const folder = await mkdtemp(path.join(tmpdir(), 'full-size-'));
  const cacheFolder = values.cache ?? path.join(folder, 'cache');
  const engine = await Engine.open({ device: 'cpu' });
  try {
    const rows: [string, string][] = [];
    const note = (what: string, value: string): void => {
      rows.push([what, value]);
      console.error(`${what}: ${value}`);
    };
    const bundle = await openBundle(values.bundle);
    for (const part of values.sources === undefined ? [] : (['import', 'import-half'] as const)) {
      const { seconds, bytes, peakBytes } = await inChild<Imported>(part, cacheFolder);
      const type = part === 'import' ? 'float32' : 'half precision';
      const result = `${seconds.toFixed(0)} s, ${gigabytes(bytes)}, peak memory ${gigabytes(peakBytes)}`;
      note(`importing the published files in ${type}`, result);
    }
    const first = await inChild<Stored>('build', cacheFolder);
    note('largest tensor', gigabytes(first.largestBytes));
    note('building from files, written to the cache', gigabytes(first.written));
    note('building from files', `${first.seconds.toFixed(1)} s, peak memory ${gigabytes(first.peakBytes)}`);
    const second = await inChild<Stored>('find', cacheFolder);
    note(
      'the same with the cache',
      `${second.seconds.toFixed(2)} s, peak memory ${gigabytes(second.peakBytes)}`,
    );

    const inputs = makeInputs(bundle);
    const begin = performance.now();
    const { graph, weightsKey, dispose } = openGraph(bundle);
    const stored = await new WeightCache({ folder: cacheFolder }).store(weightsKey, graph);
    dispose();
    const network = await engine.load('denoiser', stored.model, { dataFolder: stored.folder });
    note('opening in the engine', `${((performance.now() - begin) / 1000).toFixed(1)} s`);
    note('memory after opening', gigabytes(process.memoryUsage.rss()));
    await network.bind(inputs);

    const description = describeDenoisingUnet(bundle.description.denoisingUnet, {
      ...latentSize(bundle.description),
      frames,
      reference: 'keys-values',
      imageEmbeds: 'input',
      poseFeatures: true,
    });
    const torch =
      values.python === undefined
        ? undefined
        : await TorchUnet.start({
            python: values.python,
            weights: bundle.pathOf('denoisingUnet'),
            inputs,
            folder,
            threads: availableParallelism(),
          });
    const ours: number[] = [];
    const theirs: number[] = [];
    const peaks: number[] = [];
    const torchPeaks: number[] = [];
    let result: Float32Array | undefined;
    // The first of each warms up.
    for (let i = 0; i <= repeats; i++) {
      peaks.push(await measurePeak(engine));
      const start = performance.now();
      result = (await network.run({})).model_output!.data;
      if (i > 0) ours.push((performance.now() - start) / 1000);
      if (torch === undefined) continue;
      torchPeaks.push(await torch.matrixSpeed());
      const seconds = await torch.run();
      if (i > 0) theirs.push(seconds);
    }
    const speed = description.flops / median(ours) / 1e9;
    note('operations of a window', `${(description.flops / 1e12).toFixed(2)} TFLOP`);
    note('one evaluation', `${median(ours).toFixed(2)} s (${ours.map((t) => t.toFixed(2)).join(', ')})`);
    note('speed', `${speed.toFixed(0)} GFLOP/s`);
    note('the engine’s sgemm 2048³', `${Math.max(...peaks).toFixed(0)} GFLOP/s`);
    note('share of that', `${((100 * speed) / Math.max(...peaks)).toFixed(0)} %`);
    if (torch !== undefined) {
      note('PyTorch eager', `${median(theirs).toFixed(2)} s (${theirs.map((t) => t.toFixed(2)).join(', ')})`);
      note('PyTorch’s sgemm 2048³', `${Math.max(...torchPeaks).toFixed(0)} GFLOP/s`);
      note('PyTorch’s time against ours', `${(median(theirs) / median(ours)).toFixed(2)}×`);
      const other = await torch.output();
      const worst = result!.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
      const largest = result!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      note('largest difference', `${worst.toExponential(1)} of ${largest.toFixed(2)}`);
      torch.close();
    }
    note('peak memory', gigabytes(peak()));
    const machine = `${availableParallelism()} cores, ${cpus()[0]?.model.trim()}`;
    await writeReport(values.output, [
      '# AniPortrait’s denoiser at full size',
      '',
      `Bundle ${bundle.description.name}, ${bundle.description.resolution} pixels, window of ${frames} frames, float32 on ${machine}.`,
      `Times are medians of ${repeats}, PyTorch and this program in turn.`,
      '',
      markdownTable(['measured', 'value'], rows),
    ]);
  } finally {
    await engine.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}
