/** Where the networks may change a warped portrait: the face and a little around it. */
import { boundsOf } from './bounds.ts';

/** A mask on a grid of square cells. */
export interface CellMask {
  /** Cells in a row, and rows. */
  readonly cells: number;
  /** [cells · cells], 0 to 1. */
  readonly data: Float32Array;
}

/** Largest (or mean) value of each cell's 3×3 neighbourhood, without cells beyond the edge. */
function pool(data: Float32Array, cells: number, mean: boolean): Float32Array {
  const out = new Float32Array(data.length);
  for (let y = 0; y < cells; y++) {
    for (let x = 0; x < cells; x++) {
      let [sum, count, largest] = [0, 0, 0];
      for (let v = Math.max(0, y - 1); v <= Math.min(cells - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(cells - 1, x + 1); u++) {
          const value = data[v * cells + u]!;
          sum += value;
          count += 1;
          largest = Math.max(largest, value);
        }
      }
      out[y * cells + x] = mean ? sum / count : largest;
    }
  }
  return out;
}

/**
 * The cells that the landmarks' bounding box touches, grown by one, with a soft edge: what training asked of the
 * networks ends there.
 *
 * @param points - landmarks, `[n, 2]` in pixels of a square picture of side `size`.
 * @param cellSize - side of a cell in pixels; divides `size`.
 */
export function faceMask(points: ArrayLike<number>, size: number, cellSize: number): CellMask {
  const bounds = boundsOf(points, 2);
  const cells = size / cellSize;
  const touched = new Float32Array(cells * cells);
  for (let y = 0; y < cells; y++) {
    for (let x = 0; x < cells; x++) {
      const [left, top] = [x * cellSize, y * cellSize];
      const inside =
        left + cellSize > bounds.left &&
        left < bounds.right &&
        top + cellSize > bounds.top &&
        top < bounds.bottom;
      if (inside) touched[y * cells + x] = 1;
    }
  }
  return { cells, data: pool(pool(touched, cells, false), cells, true) };
}

/** Cells that are not zero, the last included; `right` is less than `left` where there are none. */
export function boxOfMask({ cells, data }: CellMask): {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
} {
  const box = { left: cells, right: -1, top: cells, bottom: -1 };
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    const [x, y] = [i % cells, Math.floor(i / cells)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}
