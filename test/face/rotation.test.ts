import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { matrixToPose, movingAverage, multiplyMatrices, poseToMatrix } from '../../src/face/rotation.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { fc } from '../helpers/fast-check.ts';

/** Both sides compute in double precision; angles come out of inverse functions. */
const DOUBLE = { rtol: 1e-9, atol: 1e-9 };

type Rows = number[][];
const golden = JSON.parse(
  readFileSync(new URL('../golden/face/pose_maths.json', import.meta.url), 'utf8'),
) as {
  euler_to_matrix: {
    euler_deg_xyz: number[];
    translation: number[];
    matrix: Rows;
    back_to_euler: number[];
  }[];
  smooth: { length: number; window: number; out: Rows }[];
  smooth_input: Rows;
  template: { fps: number; matrices_float32: Rows[]; relative_poses: Rows; at_30fps: Rows; smoothed: Rows }[];
  vid2vid: { source_matrices: Rows[]; reference_matrix: Rows; poses_smoothed: Rows; matrices: Rows[] };
};

for (const { euler_deg_xyz: angles, translation, matrix, back_to_euler: back } of golden.euler_to_matrix) {
  test(`angles ${angles.join(', ')} become the reference's matrix and come back`, () => {
    const actual = poseToMatrix([...angles, ...translation]);
    assertAllClose(actual, matrix.flat(), DOUBLE);
    assertAllClose(matrixToPose(actual), [...back, ...translation], DOUBLE);
  });
}

test('every pose survives the way to a matrix and back', () => {
  const angle = fc.double({ min: -179, max: 179, noNaN: true });
  const middle = fc.double({ min: -89, max: 89, noNaN: true });
  const distance = fc.double({ min: -100, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.tuple(angle, middle, angle, distance, distance, distance), (pose) => {
      assertAllClose(matrixToPose(poseToMatrix(pose)), pose, { rtol: 1e-7, atol: 1e-7 });
    }),
    { numRuns: 200 },
  );
});

for (const { length, window, out } of golden.smooth) {
  test(`a moving average of ${window} over ${length} frames matches the reference`, () => {
    const input = golden.smooth_input.slice(0, length);
    assertAllClose(movingAverage(input.flat(), 6, window), out.flat(), DOUBLE);
  });
}

test('source poses, smoothed and moved to the portrait, match the reference', () => {
  const { source_matrices: sources, reference_matrix: reference, poses_smoothed, matrices } = golden.vid2vid;
  const first = sources[0]!;
  const poses = sources.flatMap((matrix) => {
    const pose = Array.from(matrixToPose(matrix.flat()));
    return pose.map((value, i) => (i < 3 ? value : value - first[i - 3]![3]! + reference[i - 3]![3]!));
  });
  const smoothed = movingAverage(poses, 6, 3);
  assertAllClose(smoothed, poses_smoothed.flat(), DOUBLE);
  for (const [i, expected] of matrices.entries()) {
    assertAllClose(poseToMatrix(smoothed.subarray(i * 6, i * 6 + 6)), expected.flat(), DOUBLE);
  }
});

/** The goldens' matrices are float32, and their inverse is taken in float32 too. */
const FLOAT32 = { rtol: 1e-5, atol: 1e-5 };

test('head movement relative to the first frame matches the reference', () => {
  for (const { matrices_float32: matrices, relative_poses: expected } of golden.template) {
    const [rx, ry, rz, ...translation] = matrixToPose(matrices[0]!.flat());
    const rotation = poseToMatrix([rx!, ry!, rz!, 0, 0, 0]);
    const transposed = rotation.map((_, i) => rotation[(i % 4) * 4 + Math.floor(i / 4)]!);
    const back = poseToMatrix([0, 0, 0, ...translation.map((value) => -value)]);
    const inverse = multiplyMatrices(transposed, back);
    const actual = matrices.flatMap((matrix) =>
      Array.from(matrixToPose(multiplyMatrices(inverse, matrix.flat()))),
    );
    assertAllClose(actual, expected.flat(), FLOAT32);
  }
});
