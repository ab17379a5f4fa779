/** The arithmetic of merging LoRAs: a matrix plus products of thin matrices. */

/** `scale` · up · down, with up `[rows, rank]` and down `[rank, columns]`. */
export interface LowRankProduct {
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

/** Columns that are summed at a time, so that sums and factors stay in the cache. */
const BLOCK_COLUMNS = 512;

/**
 * `base` plus all products, as a new array: summed in double precision and rounded to float32 once.
 *
 * @param base - `[rows, columns]`.
 */
export function addLowRankProducts(
  base: Float32Array,
  rows: number,
  products: readonly LowRankProduct[],
): Float32Array {
  const columns = base.length / rows;
  const out = new Float32Array(base.length);
  const sum0 = new Float64Array(BLOCK_COLUMNS);
  const sum1 = new Float64Array(BLOCK_COLUMNS);
  const padded = products.map((product) => padToBlocks(product, rows, columns));
  for (let from = 0; from < columns; from += BLOCK_COLUMNS) {
    const count = Math.min(BLOCK_COLUMNS, columns - from);
    for (let row = 0; row < rows; row += 2) {
      sum0.fill(0);
      sum1.fill(0);
      for (const { up, down, rank } of padded) {
        for (let r = 0; r < rank; r += 4) {
          addBlock(sum0, sum1, count, up, row * rank + r, rank, down, r * columns + from, columns);
        }
      }
      const start = row * columns + from;
      for (let i = 0; i < count; i++) out[start + i] = base[start + i]! + sum0[i]!;
      if (row + 1 === rows) continue;
      for (let i = 0; i < count; i++) out[start + columns + i] = base[start + columns + i]! + sum1[i]!;
    }
  }
  return out;
}

/** Adds four ranks to two rows: each value of `down` that is loaded is used twice, each sum four times. */
function addBlock(
  sum0: Float64Array,
  sum1: Float64Array,
  count: number,
  up: Float64Array,
  upStart: number,
  upStride: number,
  down: Float64Array,
  downStart: number,
  downStride: number,
): void {
  const a0 = up[upStart]!;
  const a1 = up[upStart + 1]!;
  const a2 = up[upStart + 2]!;
  const a3 = up[upStart + 3]!;
  const b0 = up[upStart + upStride]!;
  const b1 = up[upStart + upStride + 1]!;
  const b2 = up[upStart + upStride + 2]!;
  const b3 = up[upStart + upStride + 3]!;
  const start1 = downStart + downStride;
  const start2 = start1 + downStride;
  const start3 = start2 + downStride;
  for (let i = 0; i < count; i++) {
    const d0 = down[downStart + i]!;
    const d1 = down[start1 + i]!;
    const d2 = down[start2 + i]!;
    const d3 = down[start3 + i]!;
    sum0[i]! += a0 * d0 + a1 * d1 + a2 * d2 + a3 * d3;
    sum1[i]! += b0 * d0 + b1 * d1 + b2 * d2 + b3 * d3;
  }
}

/** The factors in double precision, with zeros up to an even number of rows and a rank that is a multiple of four. */
function padToBlocks({ up, down, rank, scale }: LowRankProduct, rows: number, columns: number) {
  const paddedRank = Math.ceil(rank / 4) * 4;
  const paddedUp = new Float64Array((rows + (rows % 2)) * paddedRank);
  for (let row = 0; row < rows; row++) {
    for (let r = 0; r < rank; r++) paddedUp[row * paddedRank + r] = scale * up[row * rank + r]!;
  }
  const paddedDown = new Float64Array(paddedRank * columns);
  paddedDown.set(down);
  return { up: paddedUp, down: paddedDown, rank: paddedRank };
}
