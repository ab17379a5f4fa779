/** One triangle of a picture, drawn with the pixels of another. */

import type { RgbImage } from '../image/rgb-image.ts';
import type { DrawRun } from './warp-source.ts';

/** A picture that is being drawn. */
export interface Canvas {
  readonly drawRun: DrawRun;
  /** Where the kernels have the picture. */
  readonly target: number;
  /** The picture there; until others use the kernels. */
  readonly image: RgbImage;
  /** For each pixel how much of it was really seen in the source, 0 to 255; not kept where it is undefined. */
  readonly reliability: Uint8Array | undefined;
}

/** Where a mesh's points are, `[n, 2]` in pixels. */
interface MovedPoints {
  /** In the source. */
  readonly from: Float64Array;
  /** In the picture. */
  readonly to: Float64Array;
  /** Pixels of the picture for each of the source. */
  readonly areaScale: number;
}

/**
 * Draws one triangle.
 *
 * @param corners - three for each triangle, as indices of points.
 * @param t - which of them.
 * @param points - before and after.
 * @param canvas - the picture and the source.
 * @param known - reliability of its pixels, 0 to 255. @defaultValue as much of 255 as it was not stretched
 */
export function drawTriangle(
  corners: Int32Array,
  t: number,
  { from: points, to: target, areaScale }: MovedPoints,
  { drawRun, target: picture, image: { width, height }, reliability }: Canvas,
  known?: number,
): void {
  const i0 = corners[3 * t]! * 2;
  const i1 = corners[3 * t + 1]! * 2;
  const i2 = corners[3 * t + 2]! * 2;
  const x0 = target[i0]!;
  const y0 = target[i0 + 1]!;
  const x1 = target[i1]!;
  const y1 = target[i1 + 1]!;
  const x2 = target[i2]!;
  const y2 = target[i2 + 1]!;
  const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
  if (Math.abs(area) < 1e-6) return;
  const u0 = points[i0]!;
  const v0 = points[i0 + 1]!;
  const u1 = points[i1]!;
  const v1 = points[i1 + 1]!;
  const u2 = points[i2]!;
  const v2 = points[i2 + 1]!;
  const sourceArea = ((u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)) * areaScale;
  // A triangle that turned over since the portrait shows what was hidden; a stretched one was seen in part.
  const seen = Math.max(0, Math.min(1, sourceArea / area));
  const seenByte = known ?? Math.round(seen * 255);
  const inverse = 1 / area;
  const firstRow = Math.max(0, Math.ceil(Math.min(y0, y1, y2) - 0.5));
  const lastRow = Math.min(height - 1, Math.floor(Math.max(y0, y1, y2) - 0.5));
  const firstColumn = Math.max(0, Math.ceil(Math.min(x0, x1, x2) - 0.5));
  const lastColumn = Math.min(width - 1, Math.floor(Math.max(x0, x1, x2) - 0.5));
  // The place in the source is linear in column and row.
  const uStep = ((y2 - y0) * (u1 - u0) - (y1 - y0) * (u2 - u0)) * inverse;
  const vStep = ((y2 - y0) * (v1 - v0) - (y1 - y0) * (v2 - v0)) * inverse;
  const uRowStep = ((x1 - x0) * (u2 - u0) - (x2 - x0) * (u1 - u0)) * inverse;
  const vRowStep = ((x1 - x0) * (v2 - v0) - (x2 - x0) * (v1 - v0)) * inverse;
  // So are the weights of the corners; where one is 0, a row enters or leaves the triangle.
  const step1 = (y2 - y0) * inverse;
  const step2 = (y0 - y1) * inverse;
  const step0 = -step1 - step2;
  const columns1 = 1 / step1;
  const columns2 = 1 / step2;
  const columns0 = 1 / step0;
  const px = firstColumn + 0.5 - x0;
  for (let row = firstRow; row <= lastRow; row++) {
    const py = row + 0.5 - y0;
    const across1 = (x2 - x0) * py;
    const across2 = (x1 - x0) * py;
    const w1 = (px * (y2 - y0) - across1) * inverse;
    const w2 = (across2 - px * (y1 - y0)) * inverse;
    const w0 = 1 - w1 - w2;
    let enter = 0;
    let leave = lastColumn - firstColumn;
    if (step1 > 0) enter = Math.max(enter, -w1 * columns1);
    else if (step1 < 0) leave = Math.min(leave, -w1 * columns1);
    if (step2 > 0) enter = Math.max(enter, -w2 * columns2);
    else if (step2 < 0) leave = Math.min(leave, -w2 * columns2);
    if (step0 > 0) enter = Math.max(enter, -w0 * columns0);
    else if (step0 < 0) leave = Math.min(leave, -w0 * columns0);
    // Pixels on an edge, or nearly so, are inside.
    let from = firstColumn + Math.ceil(enter - 1e-3);
    let to = firstColumn + Math.floor(leave + 1e-3);
    while (from <= to && !isInside(from + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) from++;
    while (from <= to && !isInside(to + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) to--;
    if (from > to) continue;
    const start = row * width + from;
    if (reliability !== undefined) for (let i = start; i <= start + to - from; i++) reliability[i] = seenByte;
    const u = u0 + (from + 0.5 - x0) * uStep + py * uRowStep;
    const v = v0 + (from + 0.5 - x0) * vStep + py * vRowStep;
    drawRun(picture + 3 * start, to - from + 1, u, v, uStep, vStep);
  }
}

/** Whether a pixel is inside a triangle or, but for rounding, on its edge. */
function isInside(
  px: number,
  across1: number,
  across2: number,
  dy2: number,
  dy1: number,
  inverse: number,
): boolean {
  const w1 = (px * dy2 - across1) * inverse;
  const w2 = (across2 - px * dy1) * inverse;
  return 1 - w1 - w2 >= -1e-9 && w1 >= -1e-9 && w2 >= -1e-9;
}
