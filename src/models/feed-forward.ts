/** The feed-forward that ends a transformer block, by rows of tokens or, where that is faster, on images. */
import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { add, isBlocked, layerNorm, layerWeights, linear, matrixProduct, type Net } from './layers.ts';
import type { LayerWeights } from './quantization.ts';

/** Width of the hidden layer, of that of the tokens. */
const EXPANSION = 4;

/** `net.0.proj` below `path` as two layers, values first: one would have to be split. */
function hiddenLayers(
  net: Net,
  path: string,
  width: number,
): readonly [value: LayerWeights, gate: LayerWeights] {
  const inner = EXPANSION * width;
  const key = `${path}.net.0.proj`;
  const { weight: read, bias: readBias } = layerWeights(net, key, [2 * inner, width], true);
  const half = (part: string, index: number): LayerWeights => {
    const of = (whole: () => Float32Array, size: number) => () =>
      whole().subarray(index * size, (index + 1) * size);
    return {
      name: net.weights.name(`${key}.${part}`),
      dims: [inner, width],
      weight: of(read, inner * width),
      bias: of(readBias!, inner),
    };
  };
  return [half('value', 0), half('gate', 1)];
}

function gated(graph: GraphBuilder, value: Value, gate: Value): Value {
  return graph.op('Mul', [value, graph.op('Gelu', [gate])]);
}

/**
 * Feed-forward with a gated GELU, `(x·V) · gelu(x·G)` and a projection back; GELU by the error function. Weights
 * `net.0.proj`, values first, and `net.2` below `path`.
 */
export function gatedFeedForward(net: Net, x: Value, path: string, rows: number, width: number): Value {
  const inner = EXPANSION * width;
  const [value, gate] = hiddenLayers(net, path, width).map((layer) => matrixProduct(net, x, layer, rows));
  net.cost.flops += 2 * rows * width * 2 * inner;
  const hidden = gated(net.graph, value!, gate!);
  return linear(net, hidden, `${path}.net.2`, { rows, in: inner, out: width });
}

/** Wider layers gain little over matrix products, whose weights the engine need not copy. */
const MAX_CONVOLVED_WIDTH = 640;

/** Whether {@link feedForwardOnGrid} is the faster form. */
export function prefersGrid(net: Net, width: number): boolean {
  return width <= MAX_CONVOLVED_WIDTH && net.activations === undefined && isBlocked(net, width);
}

/** Settings of {@link feedForwardOnGrid}. */
interface GridFeedForward {
  /** What comes before the feed-forward, [count · height · width, width of the tokens]. */
  readonly tokens: Value;
  /** Key of the layer norm. */
  readonly norm: string;
  /** The rows as pixels of images; any order of rows will do. */
  readonly grid: readonly [count: number, height: number, width: number];
  /** Width of the tokens. */
  readonly inner: number;
  /** The projection out of the block, `proj_out`. */
  readonly projection: { readonly net: Net; readonly out: number; readonly convolution?: boolean };
}

/**
 * The end of a transformer, projection included, in 1×1 convolutions: sums and biases are part of their kernels, which
 * run a fifth faster than matrix products of these widths.
 *
 * @returns [count, out, height, width].
 */
export function feedForwardOnGrid(net: Net, options: GridFeedForward): Value {
  const { graph } = net;
  const { tokens, norm, grid, inner, projection } = options;
  const rows = grid[0] * grid[1] * grid[2];
  const images = (x: Value): Value =>
    graph.op('Transpose', [graph.op('Reshape', [x, graph.int64([...grid, inner])])], { perm: [0, 3, 1, 2] });
  const convolve = (x: Value, { name, dims, weight, bias }: LayerWeights): Value => {
    const [out, channels] = dims as [number, number];
    net.cost.flops += 2 * rows * channels * out;
    const kernels = graph.weight(`${name}.weight`, weight, [out, channels, 1, 1]);
    return graph.op('Conv', [x, kernels, graph.weight(`${name}.bias`, bias!, [out])], {
      kernel_shape: [1, 1],
    });
  };
  const normed = images(layerNorm(net, tokens, norm, inner));
  const [value, gate] = hiddenLayers(net, 'ff', inner).map((layer) => convolve(normed, layer));
  const fed = convolve(
    gated(graph, value!, gate!),
    layerWeights(net, 'ff.net.2', [inner, EXPANSION * inner]),
  );
  const { out, convolution = false } = projection;
  const stored = convolution ? [out, inner, 1, 1] : [out, inner];
  return convolve(add(net, fed, images(tokens)), layerWeights(projection.net, 'proj_out', stored));
}
