/** Separates a person from a plain wall behind them. */
import { blur, type Planes, planes } from './planes.ts';

/** A person's coverage and the wall as it would look without them. */
export interface Backdrop {
  /** One channel: 1 person, 0 wall. */
  readonly coverage: Planes;
  /** Three channels, as the picture. */
  readonly wall: Planes;
}

/** Wall pixels are looked for next to the head, in this share of the width at each side and of the height from the top. */
const SIDE = 0.16;
const DEPTH = 0.55;
/** Below this share of the height the border may show shoulders. */
const LOWEST_SEED = 0.75;

const basis = (x: number, y: number): readonly number[] => [1, x, y, x * x, x * y, y * y];
/** Below this height the wall goes on as it is there: a square term must not run away where nothing was seen. */
const LOWEST = 0.8;

/** Least squares by normal equations, Gauss-Jordan elimination. */
function solve(matrix: number[][]): number[] {
  const n = matrix.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column; row < n; row++) {
      if (Math.abs(matrix[row]![column]!) > Math.abs(matrix[pivot]![column]!)) pivot = row;
    }
    [matrix[column], matrix[pivot]] = [matrix[pivot]!, matrix[column]!];
    for (let row = 0; row < n; row++) {
      if (row === column) continue;
      const factor = matrix[row]![column]! / matrix[column]![column]!;
      for (let k = column; k <= n; k++) matrix[row]![k]! -= factor * matrix[column]![k]!;
    }
  }
  return matrix.map((row, i) => row[n]! / row[i]!);
}

/**
 * Fits a smooth wall colour and floods it from the border.
 *
 * @param picture - three channels, display values 0 to 1.
 * @param tolerance - largest distance from the wall's colour that still is wall.
 */
export function separateBackdrop(picture: Planes, tolerance: number): Backdrop {
  const { size, data } = picture;
  const wall = planes(size, 3);
  let coefficients: number[][] | undefined;
  const predict = (x: number, y: number, c: number): number => {
    const k = coefficients![c]!;
    const u = x / size;
    const v = Math.min(y / size, LOWEST);
    return k[0]! + k[1]! * u + k[2]! * v + k[3]! * u * u + k[4]! * u * v + k[5]! * v * v;
  };
  for (let round = 0; round < 4; round++) {
    const next = [0, 1, 2].map((c) => {
      const normal = Array.from({ length: 6 }, () => new Array<number>(7).fill(0));
      for (let y = 0; y < size * DEPTH; y += 4) {
        for (let x = 0; x < size; x += 4) {
          if (x > size * SIDE && x < size * (1 - SIDE)) continue;
          const i = (y * size + x) * 3;
          if (coefficients !== undefined) {
            let far = 0;
            for (let k = 0; k < 3; k++) far += (data[i + k]! - predict(x, y, k)) ** 2;
            if (far > (tolerance * (round === 1 ? 2 : 1)) ** 2) continue;
          }
          const b = basis(x / size, y / size);
          for (let row = 0; row < 6; row++) {
            for (let k = 0; k < 6; k++) normal[row]![k]! += b[row]! * b[k]!;
            normal[row]![6]! += b[row]! * data[i + c]!;
          }
        }
      }
      for (let k = 0; k < 6; k++) normal[k]![k]! += k === 0 ? 1e-6 : 0.5;
      return solve(normal);
    });
    coefficients = next;
  }

  const distance = new Float32Array(size * size);
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      let far = 0;
      for (let c = 0; c < 3; c++) {
        wall.data[i * 3 + c] = predict(x, y, c);
        far += (data[i * 3 + c]! - wall.data[i * 3 + c]!) ** 2;
      }
      distance[i] = Math.sqrt(far);
    }
  }
  const smooth = blur(planes(size, 1, distance), 1);
  const person = new Float32Array(size * size).fill(1);
  const flood = (seeds: readonly number[], enter: (i: number) => boolean): void => {
    const queue: number[] = [];
    const visit = (i: number): void => {
      if (enter(i)) queue.push(i);
    };
    for (const seed of seeds) visit(seed);
    for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
      const x = i % size;
      if (x > 0) visit(i - 1);
      if (x < size - 1) visit(i + 1);
      if (i >= size) visit(i - size);
      if (i < size * (size - 1)) visit(i + size);
    }
  };
  const border: number[] = [];
  for (let k = 0; k < size; k++) {
    border.push(k);
    if (k < size * LOWEST_SEED) border.push(k * size, k * size + size - 1);
  }
  flood(border, (i) => {
    if (person[i] === 0 || smooth.data[i]! >= tolerance) return false;
    person[i] = 0;
    return true;
  });
  // Spots on the wall do not hang together with the middle of the face.
  const connected = new Float32Array(size * size);
  flood([Math.round(size / 2) * size + Math.round(size / 2)], (i) => {
    if (person[i] === 0 || connected[i] === 1) return false;
    connected[i] = 1;
    return true;
  });
  // A little inside the flood's border, where pixels still are mixed with the wall.
  const soft = blur(planes(size, 1, connected), 2);
  const coverage = soft.data.map((v) => Math.max(0, Math.min(1, (v - 0.5) / 0.48)));
  return { coverage: planes(size, 1, coverage), wall };
}
