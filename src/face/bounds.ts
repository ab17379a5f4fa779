/** The box around a face's landmarks. */

/** Edges of an upright box in pixels. */
interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * The smallest box around points.
 *
 * @param points - px, `[n, stride]`; x and y come first in each row.
 * @param stride - numbers of each point: 2, or 3 with a depth.
 * @returns infinite edges, the wrong way round, for no points.
 */
export function boundsOf(points: ArrayLike<number>, stride: 2 | 3): Bounds {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += stride) {
    left = Math.min(left, points[i]!);
    right = Math.max(right, points[i]!);
    top = Math.min(top, points[i + 1]!);
    bottom = Math.max(bottom, points[i + 1]!);
  }
  return { left, top, right, bottom };
}
