/** Where the networks may change a warped portrait: the face and a little around it. */
import { boundsOf } from './bounds.ts';

/** A mask on a grid of square cells. */
export interface CellMask {
  /** Cells in a row, and rows. */
  readonly cells: number;
  /** [cells · cells], 0 to 1. */
  readonly data: Float32Array;
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
  const across = axisShares(cells, touchedCells(bounds.left, bounds.right, cells, cellSize));
  const down = axisShares(cells, touchedCells(bounds.top, bounds.bottom, cells, cellSize));
  const data = new Float32Array(cells * cells);
  for (let y = 0; y < cells; y++) {
    const { inside: rows, count: ofRows } = down[y]!;
    if (rows === 0) continue;
    for (let x = 0; x < cells; x++) {
      const { inside, count } = across[x]!;
      data[y * cells + x] = (rows * inside) / (ofRows * count);
    }
  }
  return { cells, data };
}

/** The first and the last cell that an interval touches; the last is less than the first where it touches none. */
function touchedCells(from: number, to: number, cells: number, cellSize: number): readonly [number, number] {
  return [Math.max(0, Math.floor(from / cellSize)), Math.min(cells - 1, Math.ceil(to / cellSize) - 1)];
}

/**
 * Of each cell and its neighbours on one axis: how many there are, and how many of them are touched or next to one that is. A mean over 3 × 3
 * cells is the product of two such shares, as what is touched is a rectangle.
 */
function axisShares(cells: number, [first, last]: readonly [number, number]) {
  const [from, to] = !(last >= first) ? [0, -1] : [Math.max(0, first - 1), Math.min(cells - 1, last + 1)];
  return Array.from({ length: cells }, (_, cell) => {
    const [low, high] = [Math.max(0, cell - 1), Math.min(cells - 1, cell + 1)];
    return { count: high - low + 1, inside: Math.max(0, Math.min(high, to) - Math.max(low, from) + 1) };
  });
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
