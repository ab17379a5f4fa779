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
