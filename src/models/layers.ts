/**
 * The layers that the networks are made of, as ONNX nodes with fused operators where the engine has them. Images are
 * [count, channels, height, width], where count is batch · frames; tokens are kept as rows of a matrix,
 * [count · length, channels], which makes every linear layer one Gemm.
 */
import type { Attribute, GraphBuilder, Value } from '../onnx/graph.ts';
import { floatAttribute } from '../onnx/graph.ts';
import type { Device } from '../runtime/device.ts';
import type { Activations, LayerWeights } from './quantization.ts';
import type { WeightReader } from './weight-reader.ts';

/** Collects the multiplications and additions of convolutions and matrix products. */
interface Cost {
  flops: number;
}

/** What a layer needs: the graph it adds nodes to, its weights, and the device whose operators it may use. */
export interface Net {
  readonly graph: GraphBuilder;
  readonly weights: WeightReader;
  readonly device: Device;
  readonly cost: Cost;
  /** Measures activations, or computes layers in integers. */
  readonly activations?: Activations | undefined;
  /** How many pieces {@link inPieces} makes. @defaultValue 1 */
  readonly pieces?: number | undefined;
}

/** An edge that carries images. */
export interface FeatureMap {
  readonly value: Value;
  /** Images: batch · frames. */
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** `net` for the sub-module at `path`. */
export function at(net: Net, path: string): Net {
  return { ...net, weights: net.weights.at(path) };
}

/** Opset for graphs of `device`: the CPU has a kernel for the attention operator of opset 23. */
export function opsetFor(device: Device): number {
  return device === 'cpu' ? 23 : 21;
}

/** Weight `key` as an initializer, stored under the shape `stored` and used under `dims`. */
export function weight(
  net: Net,
  key: string,
  stored: readonly number[],
  dims: readonly number[] = stored,
): Value {
  const { read } = net.weights.take(key, stored);
  return net.graph.weight(net.weights.name(key), read, dims);
}

/** Weights `path.weight` and, unless `bias` is false, `path.bias`, for a layer that may run in integers. */
export function layerWeights(net: Net, path: string, stored: readonly number[], bias = true): LayerWeights {
  const { read } = net.weights.take(`${path}.weight`, stored);
  const name = net.weights.name(path);
  return {
    name,
    dims: stored,
    weight: read,
    ...(bias && { bias: net.weights.take(`${path}.bias`, [stored[0]!]).read }),
  };
}

/** Rows below which a linear layer is not worth its way to integers and back. */
const MIN_INTEGER_ROWS = 16;

/** A linear layer with `rows` rows of input, in the form that the net asks for. */
export function matrixProduct(net: Net, x: Value, layer: LayerWeights, rows: number): Value {
  const { graph, activations } = net;
  const { name, dims, weight: read, bias } = layer;
  if (rows >= MIN_INTEGER_ROWS) {
    if (activations?.kind === 'quantize' && activations.hasLinear(name)) {
      return activations.linear(graph, x, layer);
    }
    if (activations?.kind === 'observe') activations.layer(graph, name, x);
  }
  const inputs = [x, graph.weight(`${name}.weight`, read, dims)];
  if (bias !== undefined) inputs.push(graph.weight(`${name}.bias`, bias, [dims[0]!]));
  return graph.op('Gemm', inputs, { transB: 1 });
}

/** Shape of a convolution. */
export interface ConvOptions {
  readonly out: number;
  readonly kernel: number;
  /** @defaultValue 1 */
  readonly stride?: number;
  /** On every side, or [top, left, bottom, right]. @defaultValue (kernel − 1) / 2 */
  readonly padding?: number | readonly [number, number, number, number];
}

/** A convolution in the form that `activations` ask for. */
export function convolution(
  { graph, activations }: Pick<Net, 'graph' | 'activations'>,
  x: Value,
  layer: LayerWeights,
  attributes: Readonly<Record<string, Attribute>>,
): Value {
  const { name, dims, weight: read, bias } = layer;
  if (activations?.kind === 'quantize' && activations.hasConv(name)) {
    return activations.conv(graph, x, layer, attributes);
  }
  const inputs = [x, graph.weight(`${name}.weight`, read, dims)];
  if (bias !== undefined) inputs.push(graph.weight(`${name}.bias`, bias, [dims[0]!]));
  const value = graph.op('Conv', inputs, attributes);
  if (activations?.kind === 'observe') activations.layer(graph, name, x, value);
  return value;
}

/** 2-D convolution with bias; weights `path.weight` [out, in, k, k] and `path.bias`. */
export function conv(net: Net, x: FeatureMap, path: string, options: ConvOptions): FeatureMap {
  const { out, kernel, stride = 1, padding = (kernel - 1) / 2 } = options;
  const pads = typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
  const size = (length: number, before: number, after: number): number =>
    Math.floor((length + before + after - kernel) / stride) + 1;
  const height = size(x.height, pads[0]!, pads[2]!);
  const width = size(x.width, pads[1]!, pads[3]!);
  const layer = layerWeights(net, path, [out, x.channels, kernel, kernel]);
  const value = convolution(net, x.value, layer, {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [...pads],
  });
  net.cost.flops += 2 * x.count * height * width * out * x.channels * kernel * kernel;
  return { value, count: x.count, channels: out, height, width };
}

/** Shape of a linear layer. */
interface LinearOptions {
  readonly rows: number;
  readonly in: number;
  readonly out: number;
  /** @defaultValue true */
  readonly bias?: boolean;
  /** The weight is stored as a 1×1 convolution. @defaultValue false */
  readonly convolution?: boolean;
}

/** `x · weightᵀ + bias` on a matrix [rows, in]. */
export function linear(net: Net, x: Value, path: string, options: LinearOptions): Value {
  const { out, bias = true, convolution = false } = options;
  const dims = [out, options.in];
  net.cost.flops += 2 * options.rows * options.in * out;
  const layer = layerWeights(net, path, convolution ? [...dims, 1, 1] : dims, bias);
  return matrixProduct(net, x, { ...layer, dims }, options.rows);
}

/** `x · sigmoid(x)`. */
export function silu(net: Net, x: Value): Value {
  return net.graph.msOp('QuickGelu', [x], { alpha: floatAttribute(1) });
}

/** Norm over each channel of each row; `scale` and `bias` are [channels]. */
export function instanceNorm(net: Net, x: Value, scale: Value, bias: Value, epsilon: number): Value {
  const { graph } = net;
  const attributes = { epsilon: floatAttribute(epsilon) };
  if (graph.precision === 'float32') {
    return graph.op('InstanceNormalization', [x, scale, bias], attributes);
  }
  // Half precision has not the range for sums over so many values.
  const [exact, exactScale, exactBias] = [x, scale, bias].map((value) => graph.cast(value, 'float32'));
  const normed = graph.op('InstanceNormalization', [exact, exactScale, exactBias], attributes);
  return graph.cast(normed, graph.precision);
}

/** Group norm over each image by itself, without scale and bias. */
function groupNormAlone(net: Net, x: FeatureMap, groups: number, epsilon: number): FeatureMap {
  const { graph } = net;
  const { count, channels, height, width } = x;
  // The engine has no kernel for GroupNormalization; an instance norm over the groups is the fastest form it has.
  const ones = graph.weight(`ones:${groups}`, new Float32Array(groups).fill(1), [groups]);
  const zeros = graph.weight(`zeros:${groups}`, new Float32Array(groups), [groups]);
  const grouped = graph.op('Reshape', [x.value, graph.int64([count, groups, -1])]);
  const normed = instanceNorm(net, grouped, ones, zeros, epsilon);
  return { ...x, value: graph.op('Reshape', [normed, graph.int64([count, channels, height, width])]) };
}

/** Group norm over each image by itself; weights `path.weight` and `path.bias`, both [channels]. */
export function groupNorm(
  net: Net,
  x: FeatureMap,
  path: string,
  groups: number,
  epsilon: number,
): FeatureMap {
  const { graph } = net;
  const { channels } = x;
  const { value: normed } = groupNormAlone(net, x, groups, epsilon);
  if (net.activations?.kind === 'quantize') {
    // The kernel of a batch norm whose statistics change nothing scales and shifts in one pass.
    const vector = (key: string): Value => weight(net, `${path}.${key}`, [channels]);
    const zeros = graph.weight(`zeros:${channels}`, new Float32Array(channels), [channels]);
    const ones = graph.weight(`ones:${channels}`, new Float32Array(channels).fill(1), [channels]);
    const inputs = [normed, vector('weight'), vector('bias'), zeros, ones];
    return { ...x, value: graph.op('BatchNormalization', inputs, { epsilon: floatAttribute(0) }) };
  }
  const scaled = graph.op('Mul', [normed, weight(net, `${path}.weight`, [channels], [channels, 1, 1])]);
  const value = graph.op('Add', [scaled, weight(net, `${path}.bias`, [channels], [channels, 1, 1])]);
  return { ...x, value };
}

/** Whether the engine computes float32 convolutions of so many channels in blocks of 16 of them, its fastest layout. */
export function isBlocked({ device, graph }: Net, channels: number): boolean {
  return device === 'cpu' && graph.precision === 'float32' && channels % 16 === 0;
}

/** Group norm and SiLU, as they come before the 3×3 convolution `next`. */
export function activatedGroupNorm(
  net: Net,
  x: FeatureMap,
  path: string,
  next: string,
  groups: number,
  epsilon: number,
): FeatureMap {
  const { graph, weights, activations } = net;
  const { channels } = x;
  const inIntegers = activations?.kind === 'quantize' && activations.hasConv(weights.name(next));
  if (inIntegers || !isBlocked(net, channels)) {
    const { value } = groupNorm(net, x, path, groups, epsilon);
    return { ...x, value: silu(net, value) };
  }
  // Scale and bias as a convolution of each channel by itself: one pass, in the layout of the next, instead of two.
  const scaled = graph.op(
    'Conv',
    [
      groupNormAlone(net, x, groups, epsilon).value,
      weight(net, `${path}.weight`, [channels], [channels, 1, 1, 1]),
      weight(net, `${path}.bias`, [channels]),
    ],
    { kernel_shape: [1, 1], group: channels },
  );
  return { ...x, value: silu(net, scaled) };
}

/** Layer norm over the last axis, eps 1e-5. */
export function layerNorm(net: Net, x: Value, path: string, width: number): Value {
  return net.graph.op(
    'LayerNormalization',
    [x, weight(net, `${path}.weight`, [width]), weight(net, `${path}.bias`, [width])],
    { axis: -1, epsilon: floatAttribute(1e-5) },
  );
}

/** Shape of an attention; `count` sequences of `queries` rows that look at `keys` rows. */
interface AttentionOptions {
  readonly count: number;
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly heads: number;
  /** Many short sequences rather than a few long ones. @defaultValue false */
  readonly short?: boolean;
}

/** Up to here the kernel for short sequences is the faster one for long ones too; networks in float32 keep their bits. */
const FEW_QUERIES = 64;

/**
 * Multi-head attention with scale 1/√(channels / heads).
 *
 * @param query - [count, queries, channels]; `key` and `value` are [count, keys, channels].
 * @returns rows of tokens, [count · queries, channels].
 */
export function attention(
  net: Net,
  query: Value,
  key: Value,
  value: Value,
  options: AttentionOptions,
): Value {
  const { graph, device } = net;
  const { count, queries, keys, channels, heads, short = false } = options;
  net.cost.flops += 4 * count * queries * keys * channels;
  const rows = (x: Value): Value => graph.op('Reshape', [x, graph.int64([-1, channels])]);
  const fewQueries = net.activations?.kind === 'quantize' && queries <= FEW_QUERIES;
  if (device === 'cpu' && (short || fewQueries)) {
    return rows(graph.op('Attention', [query, key, value], { q_num_heads: heads, kv_num_heads: heads }));
  }
  if (device === 'cpu' || device === 'cuda') {
    return rows(graph.msOp('MultiHeadAttention', [query, key, value], { num_heads: heads }));
  }
  // The fused operators give wrong numbers on some WebGPU adapters, and the other devices do not have them.
  const width = channels / heads;
  const split = (x: Value, length: number, perm: readonly number[]): Value =>
    graph.op('Transpose', [graph.op('Reshape', [x, graph.int64([count, length, heads, width])])], { perm });
  const scaled = graph.op('Mul', [split(query, queries, [0, 2, 1, 3]), graph.scalar(1 / Math.sqrt(width))]);
  const scores = graph.op('MatMul', [scaled, split(key, keys, [0, 2, 3, 1])]);
  const mixed = graph.op('MatMul', [
    graph.op('Softmax', [scores], { axis: -1 }),
    split(value, keys, [0, 2, 1, 3]),
  ]);
  return rows(graph.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }));
}

/** Sum of two edges of one shape, or of shapes that broadcast. */
export function add(net: Net, a: Value, b: Value): Value {
  return net.graph.op('Add', [a, b]);
}

/**
 * What `run` makes of images, piece by piece along an axis, where the result of each depends on that piece alone: the
 * activations in between are those of one piece.
 *
 * @param axis - 0 for images, 2 for rows of pixels.
 */
export function inPieces(
  net: Net,
  x: FeatureMap,
  axis: 0 | 2,
  run: (piece: FeatureMap) => FeatureMap,
): FeatureMap {
  const { graph, pieces = 1 } = net;
  const extent = axis === 0 ? x.count : x.height;
  const size = Math.ceil(extent / pieces);
  if (size >= extent) return run(x);
  const results: FeatureMap[] = [];
  for (let begin = 0; begin < extent; begin += size) {
    const end = Math.min(extent, begin + size);
    const value = graph.op('Slice', [x.value, graph.int64([begin]), graph.int64([end]), graph.int64([axis])]);
    results.push(run({ ...x, value, [axis === 0 ? 'count' : 'height']: end - begin }));
  }
  const value = graph.op(
    'Concat',
    results.map((result) => result.value),
    { axis },
  );
  return { ...results[0]!, value, [axis === 0 ? 'count' : 'height']: extent };
}

/** Images as rows of tokens, [count · height · width, channels]; tokens in row-major order. */
export function toTokens(net: Net, x: FeatureMap): Value {
  const { graph } = net;
  const length = x.height * x.width;
  const flat = graph.op('Reshape', [x.value, graph.int64([x.count, x.channels, length])]);
  const turned = graph.op('Transpose', [flat], { perm: [0, 2, 1] });
  return graph.op('Reshape', [turned, graph.int64([x.count * length, x.channels])]);
}

/** The images of `like`'s size whose tokens are `rows`. */
export function fromTokens(net: Net, rows: Value, like: FeatureMap): FeatureMap {
  const { graph } = net;
  const { count, channels, height, width } = like;
  const stacked = graph.op('Reshape', [rows, graph.int64([count, height * width, channels])]);
  const turned = graph.op('Transpose', [stacked], { perm: [0, 2, 1] });
  return { ...like, value: graph.op('Reshape', [turned, graph.int64([count, channels, height, width])]) };
}

/** A video edge [batch, channels, frames, height, width] as images, frames of one clip together. */
export function framesToImages(
  net: Net,
  video: Value,
  { batch, frames, channels, height, width }: VideoSize,
): FeatureMap {
  const { graph } = net;
  const turned = graph.op('Transpose', [video], { perm: [0, 2, 1, 3, 4] });
  const value = graph.op('Reshape', [turned, graph.int64([batch * frames, channels, height, width])]);
  return { value, count: batch * frames, channels, height, width };
}

/** Images as a video edge of `batch` clips. */
export function imagesToFrames(net: Net, x: FeatureMap, batch: number): Value {
  const { graph } = net;
  const frames = x.count / batch;
  const stacked = graph.op('Reshape', [x.value, graph.int64([batch, frames, x.channels, x.height, x.width])]);
  return graph.op('Transpose', [stacked], { perm: [0, 2, 1, 3, 4] });
}

/** Size of a video tensor. */
interface VideoSize {
  readonly batch: number;
  readonly frames: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}
