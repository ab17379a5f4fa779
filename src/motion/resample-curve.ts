/** Reads evenly spaced vectors between their points, for frame rates other than their own. */

/**
 * Writes the vector at `position` (0 is the first, 1 the second; may lie between) to `out`, by a cubic through the four
 * vectors around it. Positions beyond the ends take the first or last vector.
 *
 * @param data - `[count, out.length]`, row-major.
 * Source: Catmull and Rom 1974, uniform knots.
 */
export function sampleCurve(data: Float32Array, position: number, out: Float32Array): void {
  const width = out.length;
  const last = data.length / width - 1;
  const held = Math.min(last, Math.max(0, position));
  const index = Math.min(Math.floor(held), Math.max(0, last - 1));
  const t = held - index;
  const weights = [
    (-t + 2 * t ** 2 - t ** 3) / 2,
    (2 - 5 * t ** 2 + 3 * t ** 3) / 2,
    (t + 4 * t ** 2 - 3 * t ** 3) / 2,
    (-(t ** 2) + t ** 3) / 2,
  ];
  out.fill(0);
  weights.forEach((weight, neighbour) => {
    const row = Math.min(last, Math.max(0, index + neighbour - 1)) * width;
    for (let i = 0; i < width; i++) out[i]! += weight * data[row + i]!;
  });
}
