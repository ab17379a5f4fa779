import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cropFeatures, landmarksToMatrix, moveLandmarks } from '../../scripts/assets/attention-operators.ts';
import { readFlexMap } from '../../scripts/assets/flexbuffers.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const TIME_LIMIT = { timeout: 600_000 };
/** The graph computes in float32. */
const FLOAT32 = { rtol: 1e-4, atol: 2e-4 };
const SUBSET = [3, 7, 20, 41, 100, 300];
const OPTIONS = new Map<string, number | readonly number[]>([
  ['left_rotation_idx', 3],
  ['right_rotation_idx', 100],
  ['output_width', 6],
  ['output_height', 5],
  ['scale_x', 1.5],
  ['scale_y', 1.25],
  ['subset_idxs', SUBSET],
]);
const [WIDTH, HEIGHT, CHANNELS] = [20, 16, 3];

/** Numbers from 0 to 1 that look random. */
function noise(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const value = Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 43758.5453;
    return value - Math.floor(value);
  });
}

/** Landmarks around the middle of the features. */
function landmarks(): Float32Array {
  return noise(468 * 3, 1).map((value, i) => (i % 3 === 0 ? 5 + 9 * value : 4 + 7 * value));
}

/** The crop by angles: its middle, directions and sides. */
function expectedCrop(points: Float32Array) {
  const at = (i: number): [number, number] => [points[3 * i]!, points[3 * i + 1]!];
  const [[x0, y0], [x1, y1]] = [at(3), at(100)];
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = SUBSET.map((i) => at(i)[0] * cos + at(i)[1] * sin);
  const across = SUBSET.map((i) => -at(i)[0] * sin + at(i)[1] * cos);
  const middleOf = (values: number[]): number => (Math.min(...values) + Math.max(...values)) / 2;
  const sizeOf = (values: number[]): number => Math.max(...values) - Math.min(...values);
  const [u, v] = [middleOf(along), middleOf(across)];
  /** Where a place of the crop, in its pixels, is. */
  return (x: number, y: number): [number, number] => {
    const a = u + (x - 3) * ((1.5 * sizeOf(along)) / 6);
    const b = v + (y - 2.5) * ((1.25 * sizeOf(across)) / 5);
    return [a * cos - b * sin, a * sin + b * cos];
  };
}

/** Bilinear, centres of pixels at halves, edges repeated. */
function sample(features: Float32Array, channel: number, x: number, y: number): number {
  const pixel = (column: number, row: number): number => {
    const [c, r] = [Math.min(WIDTH - 1, Math.max(0, column)), Math.min(HEIGHT - 1, Math.max(0, row))];
    return features[(channel * HEIGHT + r) * WIDTH + c]!;
  };
  const [px, py] = [x - 0.5, y - 0.5];
  const [left, top] = [Math.floor(px), Math.floor(py)];
  const [fx, fy] = [px - left, py - top];
  return (
    (1 - fy) * ((1 - fx) * pixel(left, top) + fx * pixel(left + 1, top)) +
    fy * ((1 - fx) * pixel(left, top + 1) + fx * pixel(left + 1, top + 1))
  );
}

test(
  'a second look is cropped upright around its landmarks, and what it sees is put back',
  TIME_LIMIT,
  async () => {
    const graph = new GraphBuilder('second look');
    const points = graph.input('points', [1, 468, 3]);
    const features = graph.input('features', [1, CHANNELS, HEIGHT, WIDTH]);
    const seen = graph.input('seen', [1, 4, 2]);
    const matrix = landmarksToMatrix(graph, points, OPTIONS);
    const size = { options: OPTIONS, width: WIDTH, height: HEIGHT };
    graph.output('matrix', matrix, [1, 4, 4]);
    graph.output('crop', cropFeatures(graph, features, matrix, size), [1, CHANNELS, 5, 6]);
    graph.output('moved', moveLandmarks(graph, seen, matrix), [1, 4, 2]);
    const network = await loadOrtNetwork('second look', graph);

    const values = landmarks();
    const pixels = noise(CHANNELS * HEIGHT * WIDTH, 2);
    const inCrop = Float32Array.of(0, 0, 6, 5, 3, 2.5, 1, 4);
    const {
      matrix: map,
      crop,
      moved,
    } = await network.run({
      points: tensor(values, [1, 468, 3]),
      features: tensor(pixels, [1, CHANNELS, HEIGHT, WIDTH]),
      seen: tensor(inCrop, [1, 4, 2]),
    });
    await network.dispose();

    const place = expectedCrop(values);
    const [m, origin] = [map!.data, place(0, 0)];
    assertAllClose([m[3]!, m[7]!, m[14]!, m[15]!], [...origin, 0, 1], FLOAT32);
    const expected: number[] = [];
    for (let channel = 0; channel < CHANNELS; channel++) {
      for (let y = 0; y < 5; y++) {
        for (let x = 0; x < 6; x++) expected.push(sample(pixels, channel, ...place(x + 0.5, y + 0.5)));
      }
    }
    assertAllClose(crop!.data, expected, FLOAT32);
    const places = [0, 1, 2, 3].flatMap((i) => place(inCrop[2 * i]!, inCrop[2 * i + 1]!));
    assertAllClose(moved!.data, places, FLOAT32);
  },
);

test('options are read from a FlexBuffer', TIME_LIMIT, () => {
  // {a: -3, b: 1.5, c: [7, 300]}: keys, the list, then keys' places and values, four bytes each.
  const bytes = [
    ...[...'a\0b\0c\0'].map((letter) => letter.charCodeAt(0)),
    ...[2, 0, 7, 0, 44, 1], // the list: its length, then 7 and 300, of two bytes
    ...[3, 13, 12, 11], // the places of the keys: how many, then how far back
  ];
  const list = 8;
  const keys = 13;
  const values = bytes.length + 12;
  const word = (value: number): number[] => [...new Uint8Array(Int32Array.of(value).buffer)];
  const float = [...new Uint8Array(Float32Array.of(1.5).buffer)];
  bytes.push(...word(bytes.length - keys), ...word(1), ...word(3));
  bytes.push(...word(-3), ...float, ...word(values + 8 - list));
  bytes.push((1 << 2) | 2, (3 << 2) | 2, (11 << 2) | 1);
  bytes.push(bytes.length - values, (9 << 2) | 2, 1);
  const map = readFlexMap(Uint8Array.from(bytes));
  assert.deepEqual(
    [...map],
    [
      ['a', -3],
      ['b', 1.5],
      ['c', [7, 300]],
    ],
  );
});
