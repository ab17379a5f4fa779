/**
 * Head poses: 4×4 matrices (row-major, 16 values) and their six numbers, rotations about x, y, z in degrees and a
 * translation in cm.
 *
 * Source: Euler angles, extrinsic xyz, R = Rz · Ry · Rx, as `Rotation.from_euler('xyz')` of SciPy; pose smoothing as in
 * AniPortrait.
 */

const RADIANS = Math.PI / 180;
/** Sine of the middle angle's distance to ±90° below which the outer two angles cannot be distinguished. */
const GIMBAL_LOCK = 1e-7;

/** The 4×4 matrix of a pose `[rx, ry, rz, tx, ty, tz]`, degrees and cm. */
export function poseToMatrix(pose: ArrayLike<number>): Float64Array {
  const [a, b, c] = [pose[0]! * RADIANS, pose[1]! * RADIANS, pose[2]! * RADIANS];
  const [sa, ca] = [Math.sin(a), Math.cos(a)];
  const [sb, cb] = [Math.sin(b), Math.cos(b)];
  const [sc, cc] = [Math.sin(c), Math.cos(c)];
  // biome-ignore format: a matrix
  return Float64Array.of(
    cc * cb, cc * sb * sa - sc * ca, cc * sb * ca + sc * sa, pose[3]!,
    sc * cb, sc * sb * sa + cc * ca, sc * sb * ca - cc * sa, pose[4]!,
    -sb, cb * sa, cb * ca, pose[5]!,
    0, 0, 0, 1,
  );
}

/** The unit quaternion (x, y, z, w) of a matrix whose upper left is nearly a rotation. */
function quaternionOf(matrix: ArrayLike<number>): number[] {
  const m = (row: number, column: number): number => matrix[row * 4 + column]!;
  const diagonal = [m(0, 0), m(1, 1), m(2, 2)];
  const trace = diagonal[0]! + diagonal[1]! + diagonal[2]!;
  const q = [0, 0, 0, 0];
  // Starts from the largest component, so that nothing is divided by a small number.
  const largest = Math.max(...diagonal, trace);
  if (largest === trace) {
    q[0] = m(2, 1) - m(1, 2);
    q[1] = m(0, 2) - m(2, 0);
    q[2] = m(1, 0) - m(0, 1);
    q[3] = 1 + trace;
  } else {
    const i = diagonal.indexOf(largest);
    const [j, k] = [(i + 1) % 3, (i + 2) % 3];
    q[i] = 1 - trace + 2 * m(i, i);
    q[j] = m(j, i) + m(i, j);
    q[k] = m(k, i) + m(i, k);
    q[3] = m(k, j) - m(j, k);
  }
  const length = Math.hypot(...q);
  return q.map((value) => value / length);
}

/**
 * The pose `[rx, ry, rz, tx, ty, tz]` of a 4×4 matrix; rx and rz within ±180°, ry within ±90°. Where ry is ±90°, rz is 0.
 */
export function matrixToPose(matrix: ArrayLike<number>): Float64Array {
  const [x, y, z, w] = quaternionOf(matrix) as [number, number, number, number];
  const sinY = Math.min(Math.max(2 * (w * y - x * z), -1), 1);
  const r00 = 1 - 2 * (y * y + z * z);
  const r10 = 2 * (x * y + z * w);
  const cosY = Math.hypot(r00, r10);
  const ry = Math.atan2(sinY, cosY);
  let rx: number;
  let rz: number;
  if (cosY > GIMBAL_LOCK) {
    rx = Math.atan2(2 * (y * z + x * w), 1 - 2 * (x * x + y * y));
    rz = Math.atan2(r10, r00);
  } else {
    rx = Math.atan2(2 * (x * w - y * z), 1 - 2 * (x * x + z * z));
    rz = 0;
  }
  return Float64Array.of(rx / RADIANS, ry / RADIANS, rz / RADIANS, matrix[3]!, matrix[7]!, matrix[11]!);
}

/** The product a · b of two 4×4 matrices. */
export function multiplyMatrices(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const product = new Float64Array(16);
  for (let row = 0; row < 4; row++) {
    for (let column = 0; column < 4; column++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += a[row * 4 + k]! * b[k * 4 + column]!;
      product[row * 4 + column] = sum;
    }
  }
  return product;
}

/**
 * Centred moving average over frames; at both ends over the frames that exist.
 *
 * @param values - [frames · channels].
 * @param window - width in frames; an even width counts as the next odd one.
 */
export function movingAverage(values: ArrayLike<number>, channels: number, window: number): Float64Array {
  const frames = values.length / channels;
  const half = Math.floor(window / 2);
  const result = new Float64Array(values.length);
  for (let frame = 0; frame < frames; frame++) {
    const first = Math.max(0, frame - half);
    const last = Math.min(frames - 1, frame + half);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let i = first; i <= last; i++) sum += values[i * channels + channel]!;
      result[frame * channels + channel] = sum / (last - first + 1);
    }
  }
  return result;
}
