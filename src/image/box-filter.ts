/** Means over squares, by running sums: their time does not depend on the square's size. */

/**
 * The mean of a plane over the square of `2 · radius + 1` pixels around each of its pixels; at the edges over what of it lies
 * in the plane.
 *
 * @param plane - rows of `width` values; kept.
 */
export function boxMean(plane: Float32Array, width: number, height: number, radius: number): Float32Array {
  const across = new Float32Array(plane.length);
  for (let y = 0; y < height; y++)
    meanAlong(plane, across, { from: y * width, step: 1, count: width, radius });
  const out = new Float32Array(plane.length);
  for (let x = 0; x < width; x++) meanAlong(across, out, { from: x, step: width, count: height, radius });
  return out;
}

/** One row or column. */
interface Line {
  readonly from: number;
  readonly step: number;
  readonly count: number;
  readonly radius: number;
}

function meanAlong(plane: Float32Array, out: Float32Array, { from, step, count, radius }: Line): void {
  let sum = 0;
  for (let i = 0; i < Math.min(radius, count); i++) sum += plane[from + i * step]!;
  for (let i = 0; i < count; i++) {
    if (i + radius < count) sum += plane[from + (i + radius) * step]!;
    if (i - radius - 1 >= 0) sum -= plane[from + (i - radius - 1) * step]!;
    const first = Math.max(0, i - radius);
    const last = Math.min(count - 1, i + radius);
    out[from + i * step] = sum / (last - first + 1);
  }
}
