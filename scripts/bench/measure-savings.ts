/**
 * What each exact saving gains by itself: AniPortrait's architecture, the original's form and this program's in turn, with
 * weights of noise.
 *
 *   node --import=tsx scripts/bench/measure-savings.ts [--widths 96,192,384,384] [--cells 64] [--frames 2] [--repeats 5] [--output FILE.md]
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { PUBLISHED_FORMS } from '../../src/compare/published-forms.ts';
import { FAST_ATTENTION } from '../../src/models/blocks.ts';
import { buildDenoisingUnet, describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { at, type Net } from '../../src/models/layers.ts';
import { noiseWeights } from '../../src/models/noise-weights.ts';
import {
  ANIPORTRAIT_POSE_GUIDER,
  buildPoseGuider,
  describePoseGuider,
} from '../../src/models/pose-guider.ts';
import { buildReferenceUnet, describeReferenceUnet } from '../../src/models/reference-unet.ts';
import { ANIPORTRAIT_UNET, attentionSites, type UnetConfig } from '../../src/models/unet-config.ts';
import { WeightReader } from '../../src/models/weight-reader.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine, type Network } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    widths: { type: 'string', default: '96,192,384,384' },
    cells: { type: 'string', default: '64' },
    frames: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
    output: { type: 'string' },
  },
});
const widths = values.widths.split(',').map(Number);
const cells = Number(values.cells);
const frames = Number(values.frames);
const repeats = Number(values.repeats);
const size = { height: cells, width: cells };
const picture = { height: 8 * cells, width: 8 * cells };
const config: UnetConfig = { ...ANIPORTRAIT_UNET, blockOutChannels: widths };
const guiderConfig = {
  ...ANIPORTRAIT_POSE_GUIDER,
  outChannels: widths[0]!,
  stages: ANIPORTRAIT_POSE_GUIDER.stages.map((stage, i) => ({
    ...stage,
    convs: stage.convs.map((item, j, all) => ({
      ...item,
      out: j === all.length - 1 ? widths[i]! : (widths[i - 1] ?? widths[0]!),
    })),
  })),
};

const engine = await Engine.open({ device: 'cpu' });
const denoiserOptions = { ...size, frames, poseFeatures: false, imageEmbeds: 'input' } as const;
const weights = noiseWeights(
  describeDenoisingUnet(config, { ...denoiserOptions, reference: 'banks' }).weights,
);

function inputsOf(network: Network): Record<string, Tensor> {
  return Object.fromEntries(
    network.inputs.map(({ name, dims }, i) => [
      name,
      { data: new RandomStream([i]).fillNormal(new Float32Array(elementCount(dims))), dims },
    ]),
  );
}

/** Networks of the comparison that is going on. */
const opened: Network[] = [];
async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((network) => network.dispose()));
}

async function load(name: string, graph: GraphBuilder): Promise<() => Promise<number>> {
  const network = await engine.load(name, graph.toBytes(), { transfer: true });
  await network.bind(inputsOf(network));
  opened.push(network);
  return async () => {
    const begin = performance.now();
    await network.run({});
    return performance.now() - begin;
  };
}

/** Medians of the sums of some runs, in turn. */
async function compare(
  plain: readonly (() => Promise<number>)[],
  saved: readonly (() => Promise<number>)[],
): Promise<readonly [number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i <= repeats; i++) {
    for (const [side, runs] of [plain, saved].entries()) {
      let sum = 0;
      for (const run of runs) sum += await run();
      // The first runs warm up.
      if (i > 0) times[side]!.push(sum);
    }
  }
  const median = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
  return [median(times[0]), median(times[1])];
}

const rows: string[][] = [];
function note(what: string, [plain, saved]: readonly [number, number], unit = 'ms'): void {
  const row = [what, plain.toFixed(0), saved.toFixed(0), `${(plain / saved).toFixed(2)}×`];
  rows.push(row);
  console.error(row.join(' | '), unit);
}

const denoiser = (reference: 'none' | 'keys-values' | 'banks', batch = 1): GraphBuilder =>
  buildDenoisingUnet(config, weights, {
    ...denoiserOptions,
    batch,
    reference,
    imageEmbeds: reference === 'none' && batch === 1 ? 'none' : 'input',
  });

// Keys and values of the reference.
{
  const banks = await load('banks', denoiser('banks'));
  const conditional = await load('keys and values', denoiser('keys-values'));
  note('reference keys and values once a clip: one evaluation', await compare([banks], [conditional]));
  await closeAll();
}

// The original runs both branches as one batch, both with the bank, and then the first half's attention again.
{
  const together = await load('doubled batch', denoiser('banks', 2));
  const unconditional = await load('unconditional', denoiser('none'));
  const conditional = await load('conditional', denoiser('keys-values'));
  note(
    'guidance branches apart, one without reference: both',
    await compare([together], [unconditional, conditional]),
  );
  await closeAll();
}

// Cross attention to one token, in all transformers of an evaluation.
const crossing = (form: 'plain' | 'constant'): GraphBuilder => {
  const graph = new GraphBuilder(form, { opset: 23 });
  const root: Net = { graph, weights: WeightReader.open(weights), device: 'cpu', cost: { flops: 0 } };
  const contextWidth = config.crossAttentionDim!;
  const token = graph.input('token', [1, contextWidth]);
  for (const [i, site] of attentionSites(config, size).entries()) {
    const length = site.height * site.width;
    const shape = { count: frames, length, channels: site.channels };
    const net = at(root, `${site.path}.transformer_blocks.0`);
    const tokens = graph.input(`tokens.${i}`, [frames * length, site.channels]);
    const { addContext } = form === 'plain' ? PUBLISHED_FORMS : FAST_ATTENTION;
    const context = { width: contextWidth, batch: 1, token };
    const out = addContext(net, tokens, shape, context, config.numHeads[site.level]!);
    // One number leaves the engine, so that copying does not count.
    graph.output(`y.${i}`, graph.op('ReduceSum', [out, graph.int64([0, 1])]));
  }
  return graph;
};
note(
  'cross attention to one token a constant: the attentions of one evaluation',
  await compare([await load('plain', crossing('plain'))], [await load('constant', crossing('constant'))]),
);

await closeAll();

// Pose features.
const guiderWeights = noiseWeights(describePoseGuider(guiderConfig, { ...picture, frames }).weights);
const guider = await load('guider', buildPoseGuider(guiderConfig, guiderWeights, { ...picture, frames }));
const times: number[] = [];
await guider();
for (let i = 0; i < repeats; i++) times.push(await guider());
const once = times.sort((a, b) => a - b)[Math.floor(repeats / 2)]!;
note('pose features once a window: 4 steps', [4 * once, once]);
note('pose features once a window: 25 steps of a doubled batch', [50 * once, once]);

await closeAll();

// The reference UNet without its last attention: the whole one is the denoiser without motion and reference.
const still: UnetConfig = { ...config, motion: null };
const whole = await load(
  'whole reference',
  buildDenoisingUnet(
    still,
    noiseWeights(describeDenoisingUnet(still, { ...denoiserOptions, frames: 1, reference: 'none' }).weights),
    { ...denoiserOptions, frames: 1, reference: 'none' },
  ),
);
const referenceWeights = noiseWeights(describeReferenceUnet(config, size).weights);
const cut = await load('reference', buildReferenceUnet(config, referenceWeights, size));
note('reference UNet up to its last bank: once a clip', await compare([whole], [cut]));
await engine.dispose();

await writeReport(values.output, [
  '# Exact savings',
  '',
  `AniPortrait’s architecture with widths ${widths.join(', ')}, ${picture.width} pixels, windows of ${frames} frames, float32 on ${availableParallelism()} cores of ${cpus()[0]?.model.trim()}.`,
  `Milliseconds, medians of ${repeats}, the original’s form and ours in turn. Results are equal: test/models/exact-savings.test.ts.`,
  '',
  markdownTable(['saving', 'original', 'ours', 'gain'], rows),
]);
