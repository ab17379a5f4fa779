/** Triangles of a mesh: and their areas. Points are `[n, 2]`, x before y. */

/** A mesh's triangles, as indices of landmarks, three for each. */
export type Triangles = ArrayLike<number>;

/** Area of a polygon whose corners are `ring`'s points. */
export function polygonArea(points: ArrayLike<number>, ring: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < ring.length; i++) {
    const a = ring[i]! * 2;
    const b = ring[(i + 1) % ring.length]! * 2;
    sum += points[a]! * points[b + 1]! - points[b]! * points[a + 1]!;
  }
  return Math.abs(sum) / 2;
}

/** Twice the signed area of triangle `t`. */
export function areaOf(points: Float64Array, corners: Int32Array, t: number): number {
  const [a, b, c] = [corners[3 * t]! * 2, corners[3 * t + 1]! * 2, corners[3 * t + 2]! * 2];
  const [x, y] = [points[a]!, points[a + 1]!];
  return (points[b]! - x) * (points[c + 1]! - y) - (points[c]! - x) * (points[b + 1]! - y);
}
