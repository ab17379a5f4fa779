/**
 * The patch-transform codec: square patches of a picture to latent channels by principal components, and back.
 *
 * Its latents describe how a target picture differs from the warped portrait, so that what the warp already shows
 * passes through untouched; small convolutions at half resolution then remove the patches' edges. A cheap stand-in for
 * a convolutional VAE where two CPU cores have to keep up.
 */
import { floatAttribute, GraphBuilder, type Value } from '../onnx/graph.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { convolution } from './layers.ts';
import type { Activations } from './quantization.ts';

/** Architecture of the codec, as a bundle stores it. */
export interface PatchTransformConfig {
  readonly type: 'patch-transform';
  /** Side of a patch in pixels; one latent cell. */
  readonly patchSize: number;
  readonly latentChannels: number;
  /** Channels and hidden layers of the convolutions after the transform. */
  readonly refiner: { readonly width: number; readonly layers: number };
}

const COLOURS = 3;
const REFINER_BLOCK = 2;
const REFINER_KERNEL = 3;

function weight(graph: GraphBuilder, weights: WeightSource, key: string, dims?: readonly number[]): Value {
  const value = weights.read(key);
  return graph.float32(key, value.data, dims ?? value.dims);
}

/** Input channels from torch's pixel_unshuffle order (colour, block) to ONNX's SpaceToDepth order (block, colour). */
function reorderInputs({ data, dims }: Tensor, channels: number): Float32Array {
  const [out, inputs, height, width] = dims as [number, number, number, number];
  const kernel = height * width;
  const blocks = inputs / channels;
  const reordered = new Float32Array(data.length);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) {
      const from = (o * inputs + (i % channels) * blocks + Math.floor(i / channels)) * kernel;
      reordered.set(data.subarray(from, from + kernel), (o * inputs + i) * kernel);
    }
  }
  return reordered;
}

/**
 * Graph that encodes a portrait for the reference UNet: `picture` [1, 3, H, W] in [−1, 1] to `latents`
 * [1, latentChannels, H/patch, W/patch].
 *
 * @throws {@link ModelError} if a weight is missing.
 */
export function buildPatchEncoder(
  config: PatchTransformConfig,
  weights: WeightSource,
  { height, width }: { readonly height: number; readonly width: number },
): GraphBuilder {
  const graph = new GraphBuilder('patch-encoder');
  const picture = graph.input('picture', [1, COLOURS, height, width]);
  const latents = graph.op(
    'Conv',
    [picture, weight(graph, weights, 'encoder.weight'), weight(graph, weights, 'encoder.bias')],
    { strides: [config.patchSize, config.patchSize] },
  );
  graph.output('latents', latents);
  return graph;
}

/** Multiplications and additions of one run of the encoder. */
export function patchEncoderFlops(
  { latentChannels }: PatchTransformConfig,
  { height, width }: { readonly height: number; readonly width: number },
): number {
  return 2 * height * width * COLOURS * latentChannels;
}

/** Multiplications and additions of one run of the decoder. */
export function patchDecoderFlops(
  { latentChannels, refiner }: PatchTransformConfig,
  { frames, height, width }: { readonly frames: number; readonly height: number; readonly width: number },
): number {
  const synthesis = height * width * COLOURS * latentChannels;
  const block = COLOURS * REFINER_BLOCK ** 2;
  const kernels = REFINER_KERNEL ** 2 * refiner.width * (2 * block + refiner.layers * refiner.width + block);
  return 2 * frames * (synthesis + (height / REFINER_BLOCK) * (width / REFINER_BLOCK) * kernels);
}

/** Options of {@link buildPatchDecoder}; the size is that of the pictures. */
interface PatchDecoderOptions {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  /** Takes any part of such pictures that is whole patches, too; see {@link patchDecoderReach}. @defaultValue false */
  readonly parts?: boolean | undefined;
  /** Measures activations, or computes the refiner's layers in integers. */
  readonly activations?: Activations | undefined;
}

/** Pixels that a decoded pixel looks at on every side: those nearer to a part's edge differ from the whole picture's. */
export function patchDecoderReach({ refiner }: PatchTransformConfig): number {
  return REFINER_BLOCK * ((REFINER_KERNEL - 1) / 2) * (refiner.layers + 2);
}

/**
 * Graph that decodes `frames` frames: `latents` [frames, latentChannels, h, w] and `base`, the warped portraits
 * [frames, 3, H, W] in [−1, 1], to `difference` [frames, 3, H, W], which added to the base gives the picture.
 *
 * @throws {@link ModelError} if a weight is missing.
 */
export function buildPatchDecoder(
  config: PatchTransformConfig,
  weights: WeightSource,
  { frames, height, width, parts = false, activations }: PatchDecoderOptions,
): GraphBuilder {
  const { patchSize, latentChannels, refiner } = config;
  const graph = new GraphBuilder('patch-decoder');
  const sizes = parts ? ['rows', 'columns'] : [height / patchSize, width / patchSize];
  const latents = graph.input('latents', [frames, latentChannels, ...sizes]);
  const base = graph.input('base', [frames, COLOURS, ...(parts ? ['height', 'width'] : [height, width])]);

  // A transposed convolution whose stride is its kernel is a matrix product and a rearrangement.
  const synthesis = weights.read('synthesis.weight');
  const outputs = COLOURS * patchSize * patchSize;
  const matrix = new Float32Array(synthesis.data.length);
  for (let c = 0; c < latentChannels; c++) {
    for (let o = 0; o < outputs; o++) matrix[o * latentChannels + c] = synthesis.data[c * outputs + o]!;
  }
  const patches = graph.op('Conv', [
    latents,
    graph.float32('synthesis', matrix, [outputs, latentChannels, 1, 1]),
  ]);
  const difference = graph.op('DepthToSpace', [patches], { blocksize: patchSize, mode: 'CRD' });
  const picture = graph.op('Clip', [graph.op('Add', [base, difference]), graph.scalar(-1), graph.scalar(1)]);

  const both = graph.op('Concat', [picture, base], { axis: 1 });
  const conv = (x: Value, key: string, reordered?: Float32Array): Value => {
    const { data, dims } = weights.read(`${key}.weight`);
    const layer = {
      name: key,
      dims,
      weight: () => reordered ?? data,
      bias: () => weights.read(`${key}.bias`).data,
    };
    return convolution({ graph, activations }, x, layer, { pads: [1, 1, 1, 1] });
  };
  // The engine makes one operator of the two, but not where integers come before them.
  const silu = (x: Value): Value =>
    activations?.kind === 'quantize'
      ? graph.msOp('QuickGelu', [x], { alpha: floatAttribute(1) })
      : graph.op('Mul', [x, graph.op('Sigmoid', [x])]);
  const first = reorderInputs(weights.read('refiner.conv_in.weight'), 2 * COLOURS);
  let x = silu(
    conv(graph.op('SpaceToDepth', [both], { blocksize: REFINER_BLOCK }), 'refiner.conv_in', first),
  );
  for (let layer = 0; layer < refiner.layers; layer++) {
    x = graph.op('Add', [x, silu(conv(x, `refiner.layers.${layer}`))]);
  }
  const correction = graph.op('DepthToSpace', [conv(x, 'refiner.conv_out')], {
    blocksize: REFINER_BLOCK,
    mode: 'CRD',
  });
  graph.output('difference', graph.op('Sub', [graph.op('Add', [picture, correction]), base]));
  if (activations?.kind === 'observe') activations.finish(graph);
  return graph;
}
