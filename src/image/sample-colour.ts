/** Colours between the pixels of a picture. */
import type { RgbImage } from './rgb-image.ts';

/**
 * Writes the colour at a place, in pixels with pixel centres at halves, into `out` [3]: bilinear, and beyond the picture's
 * edges that of the edge.
 */
export function sampleColour({ data, width, height }: RgbImage, x: number, y: number, out: number[]): void {
  const px = Math.min(width - 1, Math.max(0, x - 0.5));
  const py = Math.min(height - 1, Math.max(0, y - 0.5));
  const [left, top] = [Math.floor(px), Math.floor(py)];
  const [fx, fy] = [px - left, py - top];
  const right = left < width - 1 ? 3 : 0;
  const below = top < height - 1 ? width * 3 : 0;
  for (let c = 0; c < 3; c++) {
    const at = (top * width + left) * 3 + c;
    const upper = data[at]! + (data[at + right]! - data[at]!) * fx;
    const lower = data[at + below]! + (data[at + below + right]! - data[at + below]!) * fx;
    out[c] = upper + (lower - upper) * fy;
  }
}

/** How deep the lobes next to the middle of the cubic are; as OpenCV's, which keep more of the finest detail than those at −0.5. */
const LOBES = -0.75;

/** Weights of the four pixels around a place, `t` of the way from the second to the third. Source: Keys 1981. */
function cubicWeights(t: number, out: Float64Array): void {
  const rest = 1 - t;
  out[0] = LOBES * t * rest * rest;
  out[3] = LOBES * rest * t * t;
  out[1] = 1 + t * t * ((LOBES + 2) * t - (LOBES + 3));
  out[2] = 1 - out[0] - out[1]! - out[3];
}

const across = new Float64Array(4);
const down = new Float64Array(4);

/** As {@link sampleColour}, by a cubic through the pixels: fine detail stays between them. */
export function sampleSharpColour(
  { data, width, height }: RgbImage,
  x: number,
  y: number,
  out: number[],
): void {
  const px = Math.min(width - 1, Math.max(0, x - 0.5));
  const py = Math.min(height - 1, Math.max(0, y - 0.5));
  const [left, top] = [Math.floor(px), Math.floor(py)];
  cubicWeights(px - left, across);
  cubicWeights(py - top, down);
  let [red, green, blue] = [0, 0, 0];
  for (let j = 0; j < 4; j++) {
    const row = Math.min(height - 1, Math.max(0, top + j - 1)) * width;
    for (let i = 0; i < 4; i++) {
      const at = 3 * (row + Math.min(width - 1, Math.max(0, left + i - 1)));
      const weight = down[j]! * across[i]!;
      red += weight * data[at]!;
      green += weight * data[at + 1]!;
      blue += weight * data[at + 2]!;
    }
  }
  out[0] = Math.min(255, Math.max(0, red));
  out[1] = Math.min(255, Math.max(0, green));
  out[2] = Math.min(255, Math.max(0, blue));
}
