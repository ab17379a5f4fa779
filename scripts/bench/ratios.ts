/**
 * Speed as ratios, which other machines can check: each network compared with the engine's own matrix products, the fast sampler
 * compared with the original's, the whole job with its networks.
 *
 *   npm run bench:ratios [-- --record] [--rounds 5] [--history FILE]
 *
 * Takes under three minutes on two cores. Prints the ratios with the last ones of the same kind of machine; `--record`
 * appends them to scripts/results/ratios.jsonl. Everything is measured in turns, and medians count.
 */
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { examineMachine } from '../../src/compare/machine-facts.ts';
import { MEASURED_MAKERS, type MeasuredNetworkName } from '../../src/compare/published-graphs.ts';
import { networkWork } from '../../src/compare/work.ts';
import { median } from '../../src/metrics/series.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { buildMatrixProbe, matrixProbeFlops } from '../../src/models/matrix-probe.ts';
import { openGraph } from '../../src/networks/bundle-graphs.ts';
import { countPoseRuns } from '../../src/pipeline/open-job.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { Engine, type Network } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount } from '../../src/tensor/tensor.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { compareRatios, lastOfMachine, parseHistory, RATIOS, type RatioEntry } from '../lib/ratio-history.ts';
import { measuredCommit } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    record: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    history: {
      type: 'string',
      default: fileURLToPath(new URL('../results/ratios.jsonl', import.meta.url)),
    },
  },
});
const rounds = Number(values.rounds);
const ASSETS = fileURLToPath(new URL('../../assets/', import.meta.url));
/** Runs of a network in its turn; the first is not counted. */
const RUNS = 3;
/** Frames that the decoder takes at once, as in the pipeline. */
const DECODE_FRAMES = 4;

const bundle = await openBundle('tiny');
const { contextFrames: frames, presets } = bundle.description;
const [fast, original] = [presets.fast!, presets.original!];
const work = networkWork(bundle.description, { windowFrames: frames, decodeFrames: DECODE_FRAMES });

async function load(engine: Engine, name: MeasuredNetworkName): Promise<Network> {
  const form = { windowFrames: frames, decodeFrames: DECODE_FRAMES, loras: [] };
  const { graph, dispose } = openGraph(bundle, MEASURED_MAKERS[name], {
    ...form,
    device: 'cpu',
    precision: 'float32',
  });
  try {
    return await bindNoise(await engine.load(name, graph.toBytes(), { transfer: true }));
  } finally {
    dispose();
  }
}

async function bindNoise(network: Network): Promise<Network> {
  const inputs = network.inputs.map(({ name, dims }, i) => {
    const data = new RandomStream([i, 7]).fillNormal(new Float32Array(elementCount(dims)));
    return [name, { data, dims }] as const;
  });
  await network.bind(Object.fromEntries(inputs), { transfer: true });
  return network;
}

async function timeRun(network: Network): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const begin = performance.now();
    await network.run({});
    if (i > 0) times.push((performance.now() - begin) / 1000);
  }
  return Math.min(...times);
}

/** Seconds of the whole job with a warm studio, and of its denoising and decoding. */
async function timeJob(
  studio: Studio,
  folder: string,
): Promise<{ wall: number; networks: number; flops: number }> {
  const clip = await studio.prepare({
    portrait: path.join(ASSETS, 'portraits', 'ada.jpg'),
    audio: path.join(ASSETS, 'speech', 'short.wav'),
    output: path.join(folder, 'clip.mp4'),
    overwrite: true,
  });
  try {
    const { times, frames: count, denoiserEvaluations } = await studio.render(clip);
    const flops =
      denoiserEvaluations * work.conditional +
      countPoseRuns(clip.job) * work.poseGuider +
      Math.ceil(count / DECODE_FRAMES) * work.decoder;
    return { wall: times.total, networks: times.denoise + times.decode, flops };
  } finally {
    await clip.dispose();
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-ratios-'));
const engine = await Engine.open({ device: 'cpu' });
const studio = await Studio.open({ device: 'cpu' });
let ratios: Record<string, number>;
try {
  const sgemm = { size: 512, products: 8 };
  const probe = await bindNoise(await engine.load('sgemm', buildMatrixProbe(sgemm).toBytes()));
  const networks = {
    conditional: await load(engine, 'denoising-unet'),
    unconditional: await load(engine, 'unconditional-denoising-unet'),
    published: await load(engine, 'published-denoising-unet'),
    decoder: await load(engine, 'decoder'),
  };
  await timeJob(studio, folder);
  const measured: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    // The peak before and after: what slows the round down slows it as well.
    const before = await timeRun(probe);
    const conditional = await timeRun(networks.conditional);
    const unconditional = await timeRun(networks.unconditional);
    const published = await timeRun(networks.published);
    const decoder = await timeRun(networks.decoder);
    const peak = matrixProbeFlops(sgemm) / Math.min(before, await timeRun(probe));
    const job = await timeJob(studio, folder);
    measured.push({
      denoiserPeakShare: work.conditional / conditional / peak,
      decoderPeakShare: work.decoder / decoder / peak,
      decodePerDenoise: decoder / DECODE_FRAMES / ((fast.steps * conditional) / frames),
      exactSavings: published / (conditional + unconditional),
      fastPerOriginal: (original.steps * (conditional + unconditional)) / (fast.steps * conditional),
      wallPerNetworks: job.wall / job.networks,
      jobPerSgemm: job.wall / (job.flops / peak),
    });
    console.error(`round ${round + 1} of ${rounds}`);
  }
  ratios = Object.fromEntries(
    Object.keys(RATIOS).map((name) => [
      name,
      Number(median(measured.map((round) => round[name]!)).toFixed(4)),
    ]),
  );
} finally {
  await studio.dispose();
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}

const { processor, versions } = examineMachine('cpu', undefined);
const entry: RatioEntry = {
  date: new Date().toISOString().slice(0, 10),
  commit: measuredCommit(),
  processor,
  cores: availableParallelism(),
  versions: { node: versions.node, onnxruntime: versions.onnxruntime },
  ratios,
};
const text = await readFile(values.history, 'utf8').catch((error: NodeJS.ErrnoException) => {
  if (error.code === 'ENOENT') return '';
  throw error;
});
const last = lastOfMachine(parseHistory(text), entry);
const table = markdownTable(
  ['ratio', 'now', last === undefined ? 'before' : `${last.date}, ${last.commit}`, ''],
  compareRatios(ratios, last?.ratios).map(({ name, now, before, verdict }) => [
    RATIOS[name]!.title,
    now.toFixed(3),
    before?.toFixed(3) ?? '–',
    verdict,
  ]),
);
console.log(
  `${processor}, ${entry.cores} cores, onnxruntime-node ${versions.onnxruntime}, ${entry.commit}\n\n${table}`,
);
if (values.record) {
  await appendFile(values.history, `${JSON.stringify(entry)}\n`);
  console.log(`\nadded to ${path.relative(process.cwd(), values.history)}`);
}
