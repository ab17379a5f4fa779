/**
 * The image encoder that conditions AniPortrait's UNets: CLIP's vision transformer with its projection.
 *
 * Source: `CLIPVisionModelWithProjection` of Hugging Face transformers; Radford et al. 2021, arXiv:2103.00020.
 */
import { pillowResize } from '../image/pillow-resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { floatAttribute, GraphBuilder, type Precision, type Value } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import type { ClipVisionConfig } from './clip-config.ts';
import { add, at, attention, layerNorm, linear, type Net, opsetFor, weight } from './layers.ts';
import { type NetworkDescription, WeightReader } from './weight-reader.ts';

/** Options of {@link buildClipVision}. */
interface ClipVisionOptions {
  /** @defaultValue 'cpu' */
  readonly device?: Device;
  /** @defaultValue 'float32' */
  readonly precision?: Precision | undefined;
}

const COLOURS = 3;
const MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
const STANDARD_DEVIATION = [0.26862954, 0.26130258, 0.27577711] as const;
/** GELU as CLIP has it: x · sigmoid(1.702 x). */
const QUICK_GELU_ALPHA = floatAttribute(1.702);

/**
 * The picture as the encoder takes it: squashed to its square by a bicubic filter, as AniPortrait does, and normalised.
 *
 * @returns `pixel_values` [1, 3, size, size].
 */
export function clipPixels(image: RgbImage, size: number): Tensor {
  const { data } = pillowResize(image, size, size, 'bicubic');
  const pixels = size * size;
  const values = new Float32Array(COLOURS * pixels);
  for (let c = 0; c < COLOURS; c++) {
    for (let i = 0; i < pixels; i++) {
      values[c * pixels + i] = (data[i * COLOURS + c]! / 255 - MEAN[c]!) / STANDARD_DEVIATION[c]!;
    }
  }
  return { data: values, dims: [1, COLOURS, size, size] };
}

function addClipVision(weights: WeightReader, config: ClipVisionConfig, options: ClipVisionOptions): Net {
  const { device = 'cpu', precision } = options;
  const { hiddenSize: width, intermediateSize, numHeads: heads, imageSize, patchSize } = config;
  const graph = new GraphBuilder('clip-vision', { opset: opsetFor(device), precision });
  const net: Net = { graph, weights, device, cost: { flops: 0 } };
  const pixels = graph.input('pixel_values', [1, COLOURS, imageSize, imageSize]);
  const vision = at(net, 'vision_model');
  const embeddings = at(vision, 'embeddings');
  const side = Math.floor(imageSize / patchSize);
  const length = side * side + 1;

  const kernel = weight(embeddings, 'patch_embedding.weight', [width, COLOURS, patchSize, patchSize]);
  const patches = graph.op('Conv', [pixels, kernel], { strides: [patchSize, patchSize] });
  net.cost.flops += 2 * side * side * width * COLOURS * patchSize * patchSize;
  const rows = graph.op('Transpose', [graph.op('Reshape', [patches, graph.int64([width, side * side])])], {
    perm: [1, 0],
  });
  const classToken = weight(embeddings, 'class_embedding', [width], [1, width]);
  const positions = weight(embeddings, 'position_embedding.weight', [length, width]);
  let tokens = add(net, graph.op('Concat', [classToken, rows], { axis: 0 }), positions);
  // The checkpoint's own spelling.
  tokens = layerNorm(vision, tokens, 'pre_layrnorm', width);

  const stack = (x: Value): Value => graph.op('Reshape', [x, graph.int64([1, length, width])]);
  for (let index = 0; index < config.numLayers; index++) {
    const layer = at(vision, `encoder.layers.${index}`);
    const square = { rows: length, in: width, out: width };
    const normed = layerNorm(layer, tokens, 'layer_norm1', width);
    const project = (name: string): Value => stack(linear(layer, normed, `self_attn.${name}`, square));
    const mixed = attention(layer, project('q_proj'), project('k_proj'), project('v_proj'), {
      count: 1,
      queries: length,
      keys: length,
      channels: width,
      heads,
    });
    tokens = add(net, tokens, linear(layer, mixed, 'self_attn.out_proj', square));
    const again = layerNorm(layer, tokens, 'layer_norm2', width);
    const inner = linear(layer, again, 'mlp.fc1', { rows: length, in: width, out: intermediateSize });
    const activated = graph.msOp('QuickGelu', [inner], { alpha: QUICK_GELU_ALPHA });
    const shape = { rows: length, in: intermediateSize, out: width };
    tokens = add(net, tokens, linear(layer, activated, 'mlp.fc2', shape));
  }
  const first = graph.op('Slice', [tokens, graph.int64([0]), graph.int64([1]), graph.int64([0])]);
  const pooled = layerNorm(vision, first, 'post_layernorm', width);
  const projection = { rows: 1, in: width, out: config.projectionDim, bias: false };
  graph.output('image_embeds', linear(net, pooled, 'visual_projection', projection), [
    1,
    config.projectionDim,
  ]);
  return net;
}

/** Old files carry the numbers 0 … 256 as a weight. */
const isEncoderKey = (key: string): boolean => key !== 'vision_model.embeddings.position_ids';

/**
 * Graph of the image encoder: `pixel_values` [1, 3, size, size] as {@link clipPixels} makes them to `image_embeds`
 * [1, projectionDim], not normalised.
 *
 * @throws {@link ModelError} that names all missing, surplus and misshapen weights.
 */
export function buildClipVision(
  config: ClipVisionConfig,
  weights: WeightSource,
  options: ClipVisionOptions = {},
): GraphBuilder {
  const reader = WeightReader.open(weights);
  const { graph } = addClipVision(reader, config, options);
  reader.finish('image encoder', isEncoderKey);
  return graph;
}

/** Weights of the image encoder, and the operations of one run; reads nothing. */
export function describeClipVision(config: ClipVisionConfig): NetworkDescription {
  const { weights, cost } = addClipVision(WeightReader.listing(), config, {});
  return { weights: weights.specs(), flops: cost.flops };
}
