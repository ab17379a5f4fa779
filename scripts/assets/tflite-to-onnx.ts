/**
 * Rewrites a plain convolutional TensorFlow Lite network as an ONNX graph. Activations are kept channels-first between
 * the operators; inputs and outputs keep TensorFlow's channels-last layout.
 *
 * Source: schema.fbs of TensorFlow Lite (operator codes, fields of the options), ONNX operators of opset 21.
 */
import type { GraphBuilder, GraphTensor, Value } from '../../src/onnx/graph.ts';
import { cropFeatures, landmarksToMatrix, moveLandmarks } from './attention-operators.ts';
import type { TfliteModel, TfliteOperator, TfliteTensor } from './tflite.ts';

const CODE = {
  add: 0,
  averagePool2d: 1,
  concatenation: 2,
  conv2d: 3,
  depthwiseConv2d: 4,
  dequantize: 6,
  logistic: 14,
  maxPool2d: 17,
  mul: 18,
  relu: 19,
  reshape: 22,
  resizeBilinear: 23,
  custom: 32,
  pad: 34,
  prelu: 54,
  hardSwish: 117,
} as const;
const PADDING_SAME = 0;

const TO_CHANNELS_FIRST = [0, 3, 1, 2];
const TO_CHANNELS_LAST = [0, 2, 3, 1];

/** Padding of one axis as TensorFlow's SAME: the odd element goes to the end. */
function samePadding(size: number, kernel: number, stride: number): [before: number, after: number] {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** Copies `elements` of `size` bytes from a row-major tensor into another order of its axes. */
function permuted(
  data: Uint8Array,
  dims: readonly number[],
  order: readonly number[],
  size: number,
): Uint8Array {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((a, b) => a * b, 1));
  const outDims = order.map((axis) => dims[axis]!);
  const out = new Uint8Array(data.length);
  const index = outDims.map(() => 0);
  for (let at = 0; at < data.length; at += size) {
    let from = 0;
    for (let axis = 0; axis < order.length; axis++) from += index[axis]! * strides[order[axis]!]!;
    out.set(data.subarray(from * size, from * size + size), at);
    for (let axis = order.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      if (index[axis]! < outDims[axis]!) break;
      index[axis] = 0;
    }
  }
  return out;
}

/** Names of the ONNX graph's inputs and outputs, in the network's own order. */
export interface ConversionNames {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Channels that ONNX Runtime blocks together on processors with AVX2. */
const BLOCK = 8;

/** Adds the network to `graph`; float16 weights stay float16 behind a Cast, which halves the file. */
export function addTfliteGraph(graph: GraphBuilder, model: TfliteModel, names: ConversionNames): void {
  const outputAt = addTfliteOperators(graph, model, names.inputs, model.outputs);
  for (const [i, index] of model.outputs.entries()) {
    graph.output(names.outputs[i]!, outputAt(index), model.tensors[index]!.dims);
  }
}

/** The operators that `tensor` needs, directly or not. */
function neededOperators({ operators }: TfliteModel, tensors: readonly number[]): Set<TfliteOperator> {
  const makers = new Map(
    operators.flatMap((operator) => operator.outputs.map((output) => [output, operator])),
  );
  const needed = new Set<TfliteOperator>();
  const visit = (tensor: number): void => {
    const maker = makers.get(tensor);
    if (maker === undefined || needed.has(maker)) return;
    needed.add(maker);
    maker.inputs.forEach(visit);
  };
  tensors.forEach(visit);
  return needed;
}

/**
 * Adds what of the network the `outputs`, numbers of tensors, need; float16 weights stay float16 behind a Cast, which halves
 * the file.
 *
 * @param blocked - writes what ONNX Runtime keeps in its blocked layout of channels from one convolution to the next: of PRelu, whose
 *   channels it would put back in order each time, max(x, 0) + a · min(x, 0) = a · x + (1 − a) · max(x, 0) as convolutions of one pixel.
 * @returns what gives each of them, channels last.
 */
export function addTfliteOperators(
  graph: GraphBuilder,
  model: TfliteModel,
  inputs: readonly string[],
  outputs: readonly number[],
  { blocked = false }: { readonly blocked?: boolean } = {},
): (output: number) => Value {
  const values = new Map<number, Value>();
  /** Values of four dimensions that are channels last all the same. */
  const plain = new Set<number>();
  /** Index of the stored weight behind a DEQUANTIZE operator. */
  const stored = new Map<number, number>();
  const tensorAt = (index: number): TfliteTensor => {
    const tensor = model.tensors[stored.get(index) ?? index];
    if (tensor === undefined) throw new Error(`Cannot convert: tensor ${index} does not exist`);
    return tensor;
  };
  const valueAt = (index: number): Value => {
    const value = values.get(index);
    if (value === undefined) throw new Error(`Cannot convert: tensor ${index} is used before it is computed`);
    return value;
  };
  const weight = (index: number, order: readonly number[], dims: readonly number[]): Value => {
    const source = tensorAt(index);
    const half = source.type === 'float16';
    const bytes = permuted(source.data, source.dims, order, half ? 2 : 4);
    const data = half ? new Uint16Array(bytes.buffer) : new Float32Array(bytes.buffer);
    const tensor: GraphTensor = { type: half ? 'float16' : 'float32', dims, data };
    const value = graph.initializer(`w${index}`, tensor);
    return half ? graph.op('Cast', [value], { to: 1 }) : value;
  };

  const convolution = (operator: TfliteOperator, depthwise: boolean): Value => {
    const [input, kernel, bias] = operator.inputs as [number, number, number];
    const dims = tensorAt(kernel).dims as [number, number, number, number];
    const [, height, width] = model.tensors[input]!.dims as [number, number, number];
    const strides = [operator.option(2, 'int32'), operator.option(1, 'int32')] as const;
    if (operator.option(depthwise ? 4 : 3, 'byte') !== 0)
      throw new Error('Cannot convert: expected a convolution without activation');
    const same = operator.option(0, 'byte') === PADDING_SAME;
    const [top, bottom] = same ? samePadding(height, dims[1], strides[0]) : [0, 0];
    const [left, right] = same ? samePadding(width, dims[2], strides[1]) : [0, 0];
    // [out, h, w, in] becomes [out, in, h, w]; depthwise [1, h, w, C] becomes [C, 1, h, w].
    const order = depthwise ? [3, 0, 1, 2] : TO_CHANNELS_FIRST;
    const weights = weight(
      kernel,
      order,
      order.map((axis) => dims[axis]!),
    );
    return graph.op('Conv', [valueAt(input), weights, weight(bias, [0], tensorAt(bias).dims)], {
      kernel_shape: [dims[1], dims[2]],
      strides: [...strides],
      pads: [top, left, bottom, right],
      group: depthwise ? dims[3] : 1,
    });
  };

  const maxPool = (operator: TfliteOperator): Value => {
    const [, height, width] = model.tensors[operator.inputs[0]!]!.dims as [number, number, number];
    const strides = [operator.option(2, 'int32'), operator.option(1, 'int32')] as const;
    const kernel = [operator.option(4, 'int32'), operator.option(3, 'int32')] as const;
    const same = operator.option(0, 'byte') === PADDING_SAME;
    const [top, bottom] = same ? samePadding(height, kernel[0], strides[0]) : [0, 0];
    const [left, right] = same ? samePadding(width, kernel[1], strides[1]) : [0, 0];
    return graph.op('MaxPool', [valueAt(operator.inputs[0]!)], {
      kernel_shape: [...kernel],
      strides: [...strides],
      pads: [top, left, bottom, right],
    });
  };

  const pad = (operator: TfliteOperator): Value => {
    const source = tensorAt(operator.inputs[1]!).data;
    const pads = new Int32Array(source.slice().buffer); // rows of [before, after], channels last
    const before = TO_CHANNELS_FIRST.map((axis) => pads[2 * axis]!);
    const after = TO_CHANNELS_FIRST.map((axis) => pads[2 * axis + 1]!);
    return graph.op('Pad', [valueAt(operator.inputs[0]!), graph.int64([...before, ...after])]);
  };

  /** Weights [out, h, w, in], whose windows do not overlap: stride and size are one. */
  const transposedConvolution = (options: Uint8Array, input: number, kernel: number, bias: number): Value => {
    const [, strideX, strideY] = new Int32Array(options.slice().buffer) as unknown as [
      number,
      number,
      number,
    ];
    const { dims } = tensorAt(kernel);
    if (strideX !== dims[2] || strideY !== dims[1]) {
      throw new Error('Cannot convert: expected a transposed convolution whose windows do not overlap');
    }
    const order = [3, 0, 1, 2];
    const shape = order.map((axis) => dims[axis]!);
    const weights = weight(kernel, order, shape);
    return graph.op('ConvTranspose', [valueAt(input), weights, weight(bias, [0], tensorAt(bias).dims)], {
      kernel_shape: [dims[1]!, dims[2]!],
      strides: [strideY, strideX],
    });
  };

  const globalAverage = (operator: TfliteOperator): Value => {
    const [, height, width] = model.tensors[operator.inputs[0]!]!.dims;
    if (operator.option(4, 'int32') !== height || operator.option(3, 'int32') !== width) {
      throw new Error('Cannot convert: expected an average over the whole picture');
    }
    return graph.op('GlobalAveragePool', [valueAt(operator.inputs[0]!)]);
  };

  const resize = (operator: TfliteOperator): Value => {
    if (operator.option(3, 'byte') === 0) throw new Error('Cannot convert: expected half-pixel centres');
    const { dims } = model.tensors[operator.outputs[0]!]!;
    const sizes = graph.int64(TO_CHANNELS_FIRST.map((axis) => dims[axis]!));
    return graph.op('Resize', [valueAt(operator.inputs[0]!), undefined, undefined, sizes], {
      mode: 'linear',
      coordinate_transformation_mode: 'half_pixel',
    });
  };

  const custom = ({ custom: kind, inputs: [first, second, third] }: TfliteOperator): Value => {
    switch (kind?.name) {
      case 'Landmarks2TransformMatrix':
        return landmarksToMatrix(graph, valueAt(first!), kind.options());
      case 'TransformTensorBilinear': {
        const [, height, width] = model.tensors[first!]!.dims as [number, number, number];
        const options = kind.options();
        return cropFeatures(graph, valueAt(first!), valueAt(second!), { options, width, height });
      }
      case 'TransformLandmarks':
        return moveLandmarks(graph, valueAt(first!), valueAt(second!));
      case 'Convolution2DTransposeBias':
        return transposedConvolution(kind.bytes, first!, second!, third!);
      default:
        throw new Error(`Cannot convert: operator ${kind?.name} is not supported`);
    }
  };

  for (const [i, index] of model.inputs.entries()) {
    const value = graph.input(inputs[i]!, model.tensors[index]!.dims);
    values.set(index, graph.op('Transpose', [value], { perm: TO_CHANNELS_FIRST }));
  }
  const needed = neededOperators(model, outputs);
  for (const operator of model.operators) {
    if (!needed.has(operator)) continue;
    const [first, second] = operator.inputs as [number, number];
    const output = operator.outputs[0]!;
    switch (operator.code) {
      case CODE.dequantize:
        stored.set(output, first);
        break;
      case CODE.conv2d:
      case CODE.depthwiseConv2d:
        values.set(output, convolution(operator, operator.code === CODE.depthwiseConv2d));
        break;
      case CODE.maxPool2d:
        values.set(output, maxPool(operator));
        break;
      case CODE.pad:
        values.set(output, pad(operator));
        break;
      case CODE.add:
        values.set(output, graph.op('Add', [valueAt(first), valueAt(second)]));
        break;
      case CODE.relu:
        values.set(output, graph.op('Relu', [valueAt(first)]));
        break;
      case CODE.prelu: {
        const channels = tensorAt(second).dims.at(-1)!;
        if (blocked && channels % BLOCK === 0) {
          const x = valueAt(first);
          const shape = [channels, 1, 1, 1];
          const slope = weight(second, [0, 1, 2], shape);
          const one = graph.float32(`one${second}`, new Float32Array(channels).fill(1), shape);
          const each = { kernel_shape: [1, 1], group: channels };
          const scaled = graph.op('Conv', [x, slope], each);
          const rest = graph.op('Conv', [graph.op('Relu', [x]), graph.op('Sub', [one, slope])], each);
          values.set(output, graph.op('Add', [scaled, rest]));
          break;
        }
        const slope = weight(second, [0, 1, 2], [channels, 1, 1]);
        values.set(output, graph.op('PRelu', [valueAt(first), slope]));
        break;
      }
      case CODE.reshape: {
        const ordered = model.tensors[first]!.dims.length < 4 || plain.has(first);
        const flat = ordered
          ? valueAt(first)
          : graph.op('Transpose', [valueAt(first)], { perm: TO_CHANNELS_LAST });
        values.set(output, graph.op('Reshape', [flat, graph.int64(model.tensors[output]!.dims)]));
        plain.add(output);
        break;
      }
      case CODE.hardSwish:
        values.set(output, graph.op('HardSwish', [valueAt(first)]));
        break;
      case CODE.logistic:
        values.set(output, graph.op('Sigmoid', [valueAt(first)]));
        break;
      case CODE.averagePool2d:
        values.set(output, globalAverage(operator));
        break;
      case CODE.resizeBilinear:
        values.set(output, resize(operator));
        break;
      case CODE.mul: {
        if (values.has(second)) {
          values.set(output, graph.op('Mul', [valueAt(first), valueAt(second)]));
          break;
        }
        const { dims } = tensorAt(second);
        const factor = weight(
          second,
          dims.map((_, axis) => axis),
          dims,
        );
        values.set(output, graph.op('Mul', [valueAt(first), factor]));
        break;
      }
      case CODE.custom:
        values.set(output, custom(operator));
        break;
      case CODE.concatenation:
        values.set(
          output,
          graph.op('Concat', operator.inputs.map(valueAt), { axis: operator.option(0, 'int32') }),
        );
        break;
      default:
        throw new Error(`Cannot convert: operator ${operator.code} is not supported`);
    }
  }
  return (index) => {
    const value = valueAt(index);
    if (model.tensors[index]!.dims.length < 4 || plain.has(index)) return value;
    return graph.op('Transpose', [value], { perm: TO_CHANNELS_LAST });
  };
}
