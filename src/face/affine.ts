/** Affine maps of the plane: `[a, b, c, d, e, f]` is x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Least-squares map from `from` to `to`, both [n, 2], over the points `indices`, not all on one line. */
export function fitAffine(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  indices: readonly number[],
): Affine {
  const count = indices.length;
  let [meanX, meanY, meanU, meanV] = [0, 0, 0, 0];
  for (const index of indices) {
    meanX += from[index * 2]! / count;
    meanY += from[index * 2 + 1]! / count;
    meanU += to[index * 2]! / count;
    meanV += to[index * 2 + 1]! / count;
  }
  let [xx, xy, yy, ux, uy, vx, vy] = [0, 0, 0, 0, 0, 0, 0];
  for (const index of indices) {
    const x = from[index * 2]! - meanX;
    const y = from[index * 2 + 1]! - meanY;
    const u = to[index * 2]! - meanU;
    const v = to[index * 2 + 1]! - meanV;
    xx += x * x;
    xy += x * y;
    yy += y * y;
    ux += u * x;
    uy += u * y;
    vx += v * x;
    vy += v * y;
  }
  const determinant = xx * yy - xy * xy;
  const a = (ux * yy - uy * xy) / determinant;
  const b = (uy * xx - ux * xy) / determinant;
  const d = (vx * yy - vy * xy) / determinant;
  const e = (vy * xx - vx * xy) / determinant;
  return [a, b, meanU - a * meanX - b * meanY, d, e, meanV - d * meanX - e * meanY];
}

/** The map that leads back. */
export function invertAffine([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  return [
    e / determinant,
    -b / determinant,
    (b * f - e * c) / determinant,
    -d / determinant,
    a / determinant,
    (d * c - a * f) / determinant,
  ];
}

/** The image of a point. */
export function applyAffine([a, b, c, d, e, f]: Affine, x: number, y: number): readonly [number, number] {
  return [a * x + b * y + c, d * x + e * y + f];
}
