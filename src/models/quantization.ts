/**
 * Convolutions and linear layers in 8-bit integers: activations as u8 with one scale for a tensor, weights as s8 with one
 * scale for each output channel, sums in s32. What lies between them stays float32.
 *
 * The ranges of activations are measured beforehand by an {@link ActivationObserver} in the float32 network; a layer
 * without ranges stays float32.
 *
 * Source: Jacob et al. 2018, arXiv:1712.05877 (affine quantisation, zero exactly representable); QLinearConv of ONNX and
 * MatMulIntegerToFloat of ONNX Runtime.
 */
import type { Attribute, GraphBuilder, Precision, Value } from '../onnx/graph.ts';

/** What a network computes in; `int8` is float32 with convolutions and linear layers in integers. */
export type NetworkPrecision = Precision | 'int8';

/** Smallest and largest value of a tensor. */
export type ActivationRange = readonly [low: number, high: number];

/** Ranges around one layer. */
interface LayerRanges {
  readonly input: ActivationRange;
  /** Of convolutions, whose results leave the kernel as integers. */
  readonly output?: ActivationRange | undefined;
}

/** Ranges by the name of the layer. */
export type NetworkRanges = Readonly<Record<string, LayerRanges>>;

/** Weights of a layer, read when the graph is written. */
export interface LayerWeights {
  /** Name of the layer. */
  readonly name: string;
  /** The layer whose ranges it has. @defaultValue its own */
  readonly rangesOf?: string;
  /** Output channels first. */
  readonly dims: readonly number[];
  readonly weight: () => Float32Array;
  readonly bias?: (() => Float32Array) | undefined;
}

/** An affine map between reals and u8: real = scale · (integer − zeroPoint). */
export interface Affine {
  readonly scale: number;
  readonly zeroPoint: number;
}

const MAX_U8 = 255;
const MAX_S8 = 127;

/**
 * The map whose u8 values cover a range; 0, which is what images are padded with, is one of them.
 *
 * @example
 * affineOf([-1, 3]); // { scale: 0.015686274509803921, zeroPoint: 64 }
 */
export function affineOf([low, high]: ActivationRange): Affine {
  const [least, most] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = (most - least) / MAX_U8;
  if (!(scale > 0)) return { scale: 1, zeroPoint: 0 };
  // As the graph will hold it, so that the bias is rounded by the same number.
  const stored = Math.fround(scale);
  return { scale: stored, zeroPoint: Math.min(MAX_U8, Math.max(0, Math.round(-least / stored))) };
}

/** One scale for each of `rows` output channels, so that the largest weight becomes ±127. */
function rowScales(weights: Float32Array, rows: number): Float32Array {
  const size = weights.length / rows;
  return Float32Array.from({ length: rows }, (_, row) => {
    let largest = 0;
    for (let i = row * size; i < (row + 1) * size; i++) {
      const magnitude = Math.abs(weights[i]!);
      if (magnitude > largest) largest = magnitude;
    }
    return largest === 0 ? 1 : largest / MAX_S8;
  });
}

/** Weights as integers, in the order of `weights`. */
function quantizeRows(weights: Float32Array, scales: Float32Array): Int8Array {
  const size = weights.length / scales.length;
  const integers = new Int8Array(weights.length);
  for (let row = 0, i = 0; row < scales.length; row++) {
    const scale = scales[row]!;
    for (const end = i + size; i < end; i++) {
      const scaled = Math.round(weights[i]! / scale);
      integers[i] = scaled > MAX_S8 ? MAX_S8 : scaled < -MAX_S8 ? -MAX_S8 : scaled;
    }
  }
  return integers;
}

function transposed(values: Int8Array, rows: number): Int8Array {
  const columns = values.length / rows;
  const turned = new Int8Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = values[row * columns + column]!;
    }
  }
  return turned;
}

/** Output channels that the engine's kernel computes at once; for 12 of them it takes twice the time of 16. */
const KERNEL_ROWS = 16;

/** A layer with channels of zeros to whole blocks of {@link KERNEL_ROWS}, unless most of a block would be zeros. */
function filledUp(layer: LayerWeights): LayerWeights {
  const { dims, weight, bias } = layer;
  const rows = dims[0]!;
  const over = rows % KERNEL_ROWS;
  if (over < KERNEL_ROWS / 2) return layer;
  const whole = rows + KERNEL_ROWS - over;
  const fill = (read: () => Float32Array) => (): Float32Array => {
    const values = read();
    const filled = new Float32Array((values.length / rows) * whole);
    filled.set(values);
    return filled;
  };
  return {
    ...layer,
    dims: [whole, ...dims.slice(1)],
    weight: fill(weight),
    ...(bias !== undefined && { bias: fill(bias) }),
  };
}

/** Adds layers in integers to one graph. */
export class Quantizer {
  readonly kind = 'quantize';
  readonly #ranges: NetworkRanges;
  /** Integers of an edge that several layers read. */
  readonly #quantized = new Map<string, Value>();

  constructor(ranges: NetworkRanges) {
    this.#ranges = ranges;
  }

  /** Whether a convolution has what it needs. */
  hasConv(name: string): boolean {
    return this.#ranges[name]?.output !== undefined;
  }

  /** Whether a linear layer has what it needs. */
  hasLinear(name: string): boolean {
    return this.#ranges[name] !== undefined;
  }

  /** A convolution; `attributes` are those of `Conv`. The layer must have an output range. */
  conv(
    graph: GraphBuilder,
    x: Value,
    layer: LayerWeights,
    attributes: Readonly<Record<string, Attribute>>,
  ): Value {
    const filled = filledUp(layer);
    const integers = this.convToIntegers(graph, x, filled, attributes);
    const own = [graph.int64([0]), graph.int64([layer.dims[0]!]), graph.int64([1])];
    return this.dequantize(graph, filled === layer ? integers : graph.op('Slice', [integers, ...own]), layer);
  }

  /** {@link Quantizer.conv} whose result stays in integers, for {@link Quantizer.dequantize}. */
  convToIntegers(
    graph: GraphBuilder,
    x: Value,
    layer: LayerWeights,
    attributes: Readonly<Record<string, Attribute>>,
  ): Value {
    const ranges = this.#rangesOf(layer);
    const [input, output] = [affineOf(ranges.input), affineOf(ranges.output!)];
    const { scale, scales, zeroPoint, values } = this.#weights(graph, layer, false);
    const { bias } = layer;
    const sums = {
      type: 'int32',
      dims: [layer.dims[0]!],
      data: () => {
        const rows = scales();
        return Int32Array.from(bias!(), (value, row) => Math.round(value / (input.scale * rows[row]!)));
      },
    } as const;
    return graph.op(
      'QLinearConv',
      [
        this.#toIntegers(graph, x, input),
        ...this.#constants(graph, input),
        values,
        scale,
        zeroPoint,
        ...this.#constants(graph, output),
        ...(bias === undefined ? [] : [graph.initializer(`${layer.name}.bias:s32`, sums)]),
      ],
      attributes,
    );
  }

  /** The numbers that a layer's integers stand for. */
  dequantize(graph: GraphBuilder, integers: Value, layer: Pick<LayerWeights, 'name' | 'rangesOf'>): Value {
    const output = affineOf(this.#rangesOf(layer).output!);
    return graph.op('DequantizeLinear', [integers, ...this.#constants(graph, output)]);
  }

  #rangesOf({ name, rangesOf = name }: Pick<LayerWeights, 'name' | 'rangesOf'>): LayerRanges {
    return this.#ranges[rangesOf]!;
  }

  /** `x · weightᵀ + bias` on a matrix. The layer must have ranges. */
  linear(graph: GraphBuilder, x: Value, layer: LayerWeights): Value {
    const input = affineOf(this.#ranges[layer.name]!.input);
    const [inputScale, inputZero] = this.#constants(graph, input);
    const { scale, values } = this.#weights(graph, layer, true);
    const { bias } = layer;
    return graph.msOp('MatMulIntegerToFloat', [
      this.#toIntegers(graph, x, input),
      values,
      inputScale,
      scale,
      inputZero,
      undefined,
      ...(bias === undefined ? [] : [graph.weight(`${layer.name}.bias`, bias, [layer.dims[0]!])]),
    ]);
  }

  #constants(graph: GraphBuilder, { scale, zeroPoint }: Affine): [scale: Value, zeroPoint: Value] {
    return [
      graph.scalar(scale),
      graph.initializer(`u8:${zeroPoint}`, { type: 'uint8', dims: [], data: Uint8Array.of(zeroPoint) }),
    ];
  }

  #toIntegers(graph: GraphBuilder, x: Value, affine: Affine): Value {
    const key = `${x.name}:${affine.scale}:${affine.zeroPoint}`;
    const known = this.#quantized.get(key);
    if (known !== undefined) return known;
    const value = graph.op('QuantizeLinear', [x, ...this.#constants(graph, affine)]);
    this.#quantized.set(key, value);
    return value;
  }

  /** Scales are read once; the weights themselves are in memory only while the graph is written. */
  #weights(
    graph: GraphBuilder,
    { name, dims, weight }: LayerWeights,
    columns: boolean,
  ): {
    readonly scales: () => Float32Array;
    readonly scale: Value;
    readonly zeroPoint: Value;
    readonly values: Value;
  } {
    const rows = dims[0]!;
    let known: Float32Array | undefined;
    const scales = (): Float32Array => {
      known ??= rowScales(weight(), rows);
      return known;
    };
    const quantized = (): Int8Array => quantizeRows(weight(), scales());
    return {
      scales,
      scale: graph.initializer(`${name}.weight:scale`, { type: 'float32', dims: [rows], data: scales }),
      zeroPoint: graph.initializer(`s8:zeros:${rows}`, {
        type: 'int8',
        dims: [rows],
        data: new Int8Array(rows),
      }),
      values: graph.initializer(`${name}.weight:s8`, {
        type: 'int8',
        dims: columns ? [dims[1]!, rows] : dims,
        data: columns ? () => transposed(quantized(), rows) : quantized,
      }),
    };
  }
}

/** Name of the output in which {@link ActivationObserver} reports. */
export const RANGES_OUTPUT = 'activation_ranges';

/** Gives a float32 network a further output, the ranges around its layers; see {@link ActivationObserver.ranges}. */
export class ActivationObserver {
  readonly kind = 'observe';
  readonly #layers: { readonly name: string; readonly edges: number }[] = [];
  readonly #extremes: Value[] = [];

  /** Notes a layer; without `output` where only its input has to be known. */
  layer(graph: GraphBuilder, name: string, input: Value, output?: Value): void {
    const edges = output === undefined ? [input] : [input, output];
    this.#layers.push({ name, edges: edges.length });
    for (const edge of edges) {
      for (const operation of ['ReduceMin', 'ReduceMax']) {
        const extreme = graph.op(operation, [edge], { keepdims: 0 });
        this.#extremes.push(graph.op('Reshape', [extreme, graph.int64([1])]));
      }
    }
  }

  /** Adds the output; after all layers. */
  finish(graph: GraphBuilder): void {
    graph.output(RANGES_OUTPUT, graph.op('Concat', this.#extremes, { axis: 0 }), [this.#extremes.length]);
  }

  /** What the values of the output say. */
  ranges(values: Float32Array): NetworkRanges {
    let next = 0;
    const range = (): ActivationRange => [values[next++]!, values[next++]!];
    return Object.fromEntries(
      this.#layers.map(({ name, edges }) => {
        const input = range();
        return [name, edges === 1 ? { input } : { input, output: range() }];
      }),
    );
  }
}

/** How a graph treats the activations of its layers. */
export type Activations = Quantizer | ActivationObserver;
