/** What a denoiser is given on a device that every run copies its inputs to; small networks, computed on the CPU. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { NumericalError } from '../../src/errors.ts';
import { type Bundle, openBundle } from '../../src/models/bundle.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { noiseWeights } from '../../src/models/noise-weights.ts';
import { describePoseGuider, type PoseGuiderConfig } from '../../src/models/pose-guider.ts';
import { describeReferenceUnet } from '../../src/models/reference-unet.ts';
import { ANIPORTRAIT_UNET, type UnetConfig } from '../../src/models/unet-config.ts';
import { type GraphOptions, NETWORK_MAKERS, type NetworkName } from '../../src/networks/bundle-graphs.ts';
import { type NamedInputs, poseBytes, releasePose } from '../../src/networks/clip-networks.ts';
import { loadNetworks } from '../../src/networks/load-networks.ts';
import type { LoadingEngine } from '../../src/networks/load-options.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import type { WeightSource } from '../../src/weights/weight-source.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FRAMES = 2;
const PICTURE = { height: 64, width: 64 };
const LATENTS = { height: 8, width: 8 };
const UNET: UnetConfig = {
  ...ANIPORTRAIT_UNET,
  ...{ inChannels: 3, outChannels: 3, blockOutChannels: [16, 32], layersPerBlock: 1, normNumGroups: 4 },
  ...{ attentionLevels: [true, false], numHeads: [2, 2], crossAttentionDim: null },
  motion: { ...ANIPORTRAIT_UNET.motion!, levels: [true, false], numHeads: 2 },
};
const GUIDER: PoseGuiderConfig = {
  ...{ inChannels: 3, norm: 'batch', activation: 'relu', batchStatistics: true, outChannels: 16 },
  stem: [{ out: 4, kernel: 8, stride: 8, padding: 0 }],
  stages: [
    { convs: [{ out: 16, stride: 2 }], attention: null },
    { convs: [{ out: 32, stride: 1 }], attention: null },
  ],
};
const UNET_OPTIONS = { ...LATENTS, frames: FRAMES, poseFeatures: true, imageEmbeds: 'none' } as const;
type Weights = Readonly<Record<'denoiser' | 'reference' | 'guider', WeightSource>>;
const WEIGHTS: Weights = {
  denoiser: noiseWeights(describeDenoisingUnet(UNET, { ...UNET_OPTIONS, reference: 'keys-values' }).weights),
  reference: noiseWeights(describeReferenceUnet(UNET, LATENTS).weights),
  guider: noiseWeights(describePoseGuider(GUIDER, { ...PICTURE, frames: FRAMES }).weights),
};

const tiny = await openBundle('tiny');
const bundle = {
  ...tiny,
  description: {
    ...tiny.description,
    ...{ resolution: 64, denoisingUnet: UNET, poseGuider: GUIDER, imageEncoder: null },
    codec: { type: 'autoencoder-kl', blockOutChannels: [1, 1, 1, 1], latentChannels: 3, scalingFactor: 1 },
  },
} as unknown as Bundle;

/** Stands in for the codec: latents are the picture's averages. */
function averages(): GraphBuilder {
  const graph = new GraphBuilder('averages');
  const image = graph.input('image', [1, 3, 64, 64]);
  graph.output(
    'mean',
    graph.op('AveragePool', [image], { kernel_shape: [8, 8], strides: [8, 8] }),
    [1, 3, 8, 8],
  );
  return graph;
}

/** Weights of which one is so many times as large. */
function enlarged(source: WeightSource, key: string, times: number): WeightSource {
  assert.ok(source.has(key), key);
  return {
    ...source,
    read: (name) => {
      const { data, dims } = source.read(name);
      return { data: name === key ? data.map((value) => times * value) : data, dims };
    },
  };
}

function graphOf(
  name: NetworkName,
  { device, precision, uploads }: GraphOptions,
  weights: Weights,
): GraphBuilder {
  if (name === 'portrait-encoder' || name === 'decoder') return averages();
  return NETWORK_MAKERS[name].build({
    description: bundle.description,
    ...{ picture: PICTURE, latents: LATENTS, windowFrames: FRAMES, poseFrames: FRAMES, decodeFrames: 1 },
    ...{ decodesParts: false, pieces: undefined, uploads },
    form: { device, precision: precision === 'float16' ? 'float16' : 'float32' },
    weights: (part) => (part === 'poseGuider' ? weights.guider : weights.reference),
    denoiserWeights: () => weights.denoiser,
    activations: () => undefined,
  });
}

function noise(seed: number, ...dims: number[]): Tensor {
  return tensor(new RandomStream([seed]).fillNormal(new Float32Array(elementCount(dims))), dims);
}

const engine = await Engine.open({ device: 'cpu', threads: 1 });
after(() => engine.dispose());

/**
 * Predictions of a window.
 *
 * @param compact - as the device has it; else as one that holds its tensors.
 */
async function predict(
  device: 'cuda' | 'dml',
  precision: 'float32' | 'float16',
  compact: boolean,
  weights = WEIGHTS,
) {
  const like: LoadingEngine = {
    ...{ device, precision, threads: 1, keepsTensors: compact },
    load: (...request) => engine.load(...request),
    loadKeeping: (...request) => engine.loadKeeping(...request),
  };
  const networks = await loadNetworks({
    ...{ bundle, windowFrames: FRAMES, loras: [], guided: true, embeddedGuidance: null, precision },
    graphs: {
      build: async (_bundle, name, options) => {
        const graph = graphOf(name, compact ? options : { ...options, uploads: undefined }, weights);
        return { model: graph.toBytes(), precision: graph.precision };
      },
    },
    denoisingEngine: like,
    sideEngine: like,
  });
  try {
    const reference = await networks.makeReference({ picture: noise(4, 3, 64, 64).data });
    await networks.bindReference(reference);
    const pose = await networks.poseFeatures(
      [1, 2].map((seed) => ({ conditions: noise(seed, 3, 64, 64).data })),
    );
    const latents = noise(3, 1, 3, FRAMES, 8, 8);
    const conditional = await networks.denoise('conditional', latents, 499, pose);
    const again = await networks.denoise('conditional', latents, 499, pose);
    const unconditional = await networks.denoise('unconditional', latents, 499, pose);
    assert.deepEqual(again, conditional);
    const bytes = poseBytes(pose);
    releasePose(pose);
    return { reference, poseBytes: bytes, conditional, unconditional };
  } finally {
    await networks.dispose();
  }
}

const valuesOf = (reference: NamedInputs): number =>
  Object.values(reference).reduce((sum, { data }) => sum + data.length, 0);

/** Root mean square of `a` − `b`, as a share of that of `b`. */
function distance(a: Tensor, b: Tensor): number {
  const squares = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(squares(a.data.map((value, i) => value - b.data[i]!)) / squares(b.data));
}

test('with CUDA in half precision, the denoiser is given half of the reference, and half of each number', async () => {
  const compact = await predict('cuda', 'float16', true);
  const plain = await predict('cuda', 'float16', false);
  assert.equal(2 * valuesOf(compact.reference), valuesOf(plain.reference));
  assert.equal(2 * compact.poseBytes, plain.poseBytes);
  // Pose features are rounded before they are handed over, and were after it.
  assert.deepEqual(compact.unconditional, plain.unconditional);
  // Of the reference, features are rounded in place of keys and values: a change below what half precision costs anyway.
  const exact = await predict('cuda', 'float32', false);
  const [moved, before, now] = [
    distance(compact.conditional, plain.conditional),
    distance(plain.conditional, exact.conditional),
    distance(compact.conditional, exact.conditional),
  ];
  assert.ok(moved < before && before < 5e-3, `${moved} to half precision, ${before} from it to float32`);
  assert.ok(now < 1.2 * before, `${now}, ${before} before`);
});

test('in float32, features stay whole, and the reference that every run projects gives what it gave before', async () => {
  const compact = await predict('dml', 'float32', true);
  const plain = await predict('dml', 'float32', false);
  assertAllClose(compact.conditional.data, plain.conditional.data, { rtol: 1e-5, atol: 1e-5 });
  assert.deepEqual(compact.unconditional, plain.unconditional);
  assert.equal(2 * valuesOf(compact.reference), valuesOf(plain.reference));
  assert.equal(compact.poseBytes, plain.poseBytes);
});

const NORM = 'down_blocks.0.attentions.0.transformer_blocks.0.norm1.weight';
/** Weights that make what a network hands over larger than half precision has numbers, and the message's beginning. */
const TOO_LARGE: Readonly<Record<string, { readonly weights: Partial<Weights>; readonly what: string }>> = {
  'pose features': {
    weights: { guider: enlarged(WEIGHTS.guider, 'scale', 1e7) },
    what: 'pose.0 of pose-guider',
  },
  'features of the reference': {
    weights: { reference: enlarged(WEIGHTS.reference, NORM, 1e6) },
    what: 'bank:down_blocks.0.attentions.0 of reference-unet',
  },
};

for (const [name, { weights, what }] of Object.entries(TOO_LARGE)) {
  test(`${name} that half precision has no numbers for are named, and float32 is the way out`, async () => {
    const large = { ...WEIGHTS, ...weights };
    await assert.rejects(predict('cuda', 'float16', true, large), (error) => {
      assert.ok(error instanceof NumericalError);
      assert.equal(
        error.message,
        `Cannot hand ${what} to the denoiser: expected numbers up to 65504, the largest of half precision, got larger ones or NaN; render with precision: float32`,
      );
      return true;
    });
    const { conditional, unconditional } = await predict('cuda', 'float32', true, large);
    for (const { data } of [conditional, unconditional]) assert.ok(data.every(Number.isFinite));
  });
}
