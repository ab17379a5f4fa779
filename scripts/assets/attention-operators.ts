/**
 * The three operators of MediaPipe's attention mesh, which look at lips and eyes once more in a map of features, as nodes of
 * an ONNX graph.
 *
 * Source: MediaPipe, util/tflite/operations: landmarks_to_transform_matrix (version 2), transform_tensor_bilinear (version 2,
 * whose pixels have their centres at halves), transform_landmarks (version 2).
 */
import type { GraphBuilder, Value } from '../../src/onnx/graph.ts';
import type { FlexValue } from './flexbuffers.ts';

type Options = ReadonlyMap<string, FlexValue>;

function numberOf(options: Options, name: string): number {
  const value = options.get(name);
  if (typeof value !== 'number') throw new Error(`Cannot convert: expected the option ${name}`);
  return value;
}

/**
 * From landmarks [1, 468, 3] to the map [1, 4, 4] of an upright crop's pixels to where they are: the crop covers the landmarks
 * that the options name, its x axis runs from one of two landmarks to the other.
 */
export function landmarksToMatrix(graph: GraphBuilder, landmarks: Value, options: Options): Value {
  const subset = options.get('subset_idxs');
  if (typeof subset !== 'object') throw new Error('Cannot convert: expected the option subset_idxs');
  const flat = graph.op('Slice', [landmarks, graph.int64([0]), graph.int64([2]), graph.int64([2])]);
  const pick = (indices: readonly number[]): Value =>
    graph.op('Gather', [flat, graph.int64(indices)], { axis: 1 });
  const left = pick([numberOf(options, 'left_rotation_idx')]);
  const right = pick([numberOf(options, 'right_rotation_idx')]);
  const delta = graph.op('Sub', [right, left]);
  const u = graph.op('Div', [delta, graph.op('ReduceL2', [delta, graph.int64([2])], { keepdims: 1 })]); // [1, 1, 2]
  const quarter = graph.float32('quarter turn', Float32Array.of(0, 1, -1, 0), [2, 2]);
  const v = graph.op('MatMul', [u, quarter]);
  const axes = graph.op('Concat', [u, v], { axis: 1 });
  const turned = graph.op('MatMul', [pick(subset), graph.op('Transpose', [axes], { perm: [0, 2, 1] })]);
  const least = graph.op('ReduceMin', [turned, graph.int64([1])], { keepdims: 1 });
  const most = graph.op('ReduceMax', [turned, graph.int64([1])], { keepdims: 1 });
  const size = graph.op('Sub', [most, least]);
  const half = graph.scalar(0.5);
  const centre = graph.op('MatMul', [graph.op('Mul', [graph.op('Add', [least, most]), half]), axes]);
  const scale = (axis: 'x' | 'y'): number =>
    numberOf(options, `scale_${axis}`) / numberOf(options, axis === 'x' ? 'output_width' : 'output_height');
  const scales = graph.op('Mul', [
    size,
    graph.float32(
      `crop scales ${scale('x')} ${scale('y')}`,
      Float32Array.of(scale('x'), scale('y')),
      [1, 1, 2],
    ),
  ]);
  // Rows: the crop's x axis and y axis, in pixels of what is cropped.
  const scaled = graph.op('Mul', [axes, graph.op('Transpose', [scales], { perm: [0, 2, 1] })]);
  const middle = [numberOf(options, 'output_width') / 2, numberOf(options, 'output_height') / 2] as const;
  const shift = graph.op('MatMul', [
    graph.float32(`crop middle ${middle.join(' ')}`, Float32Array.from(middle), [1, 1, 2]),
    scaled,
  ]);
  const origin = graph.op('Sub', [centre, shift]);
  const zeros = graph.float32('zeros 1 1 2', new Float32Array(2), [1, 1, 2]);
  const top = graph.op('Transpose', [graph.op('Concat', [scaled, zeros, origin], { axis: 1 })], {
    perm: [0, 2, 1],
  });
  const bottom = graph.float32('last rows', Float32Array.of(0, 0, 1, 0, 0, 0, 0, 1), [1, 2, 4]);
  return graph.op('Concat', [top, bottom], { axis: 1 });
}

/** The first two rows of a map [1, 4, 4]: its linear part, transposed, [1, 2, 2], and its shift, [1, 1, 2]. */
function partsOf(graph: GraphBuilder, matrix: Value): { readonly linear: Value; readonly shift: Value } {
  const columns = (from: number, to: number): Value => {
    const part = graph.op('Slice', [
      matrix,
      graph.int64([0, from]),
      graph.int64([2, to]),
      graph.int64([1, 2]),
    ]);
    return graph.op('Transpose', [part], { perm: [0, 2, 1] });
  };
  return { linear: columns(0, 2), shift: columns(3, 4) };
}

/** The crop of features [1, channels, height, width] that a map [1, 4, 4] describes. */
export function cropFeatures(
  graph: GraphBuilder,
  features: Value,
  matrix: Value,
  { options, width, height }: { readonly options: Options; readonly width: number; readonly height: number },
): Value {
  const [columns, rows] = [numberOf(options, 'output_width'), numberOf(options, 'output_height')];
  const centres = new Float32Array(rows * columns * 2);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) centres.set([x + 0.5, y + 0.5], (y * columns + x) * 2);
  }
  const { linear, shift } = partsOf(graph, matrix);
  const places = graph.op('Add', [
    graph.op('MatMul', [
      graph.float32(`centres ${columns} ${rows}`, centres, [1, rows * columns, 2]),
      linear,
    ]),
    shift,
  ]);
  // GridSample counts from -1 at one edge to 1 at the other.
  const scale = graph.float32(`edges ${width} ${height}`, Float32Array.of(2 / width, 2 / height), [1, 1, 2]);
  const counted = graph.op('Sub', [graph.op('Mul', [places, scale]), graph.scalar(1)]);
  const grid = graph.op('Reshape', [counted, graph.int64([1, rows, columns, 2])]);
  return graph.op('GridSample', [features, grid], {
    mode: 'linear',
    padding_mode: 'border',
    align_corners: 0,
  });
}

/** Landmarks [1, n, 2] in a crop's pixels, where a map [1, 4, 4] has them. */
export function moveLandmarks(graph: GraphBuilder, landmarks: Value, matrix: Value): Value {
  const { linear, shift } = partsOf(graph, matrix);
  return graph.op('Add', [graph.op('MatMul', [landmarks, linear]), shift]);
}
