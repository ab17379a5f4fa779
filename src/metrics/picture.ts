/** What the metrics look at: pictures of one size, their luma, and parts of them. */
import { ShapeError } from '../errors.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** Samples of one channel, row by row. */
export interface Plane {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** A rectangle in pixels; `right` and `bottom` are the first column and row beyond it. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** @throws {@link ShapeError} unless both pictures have one size. */
export function assertSameSize(a: Plane | RgbImage, b: Plane | RgbImage): void {
  if (a.width === b.width && a.height === b.height && a.data.length === b.data.length) return;
  throw new ShapeError(
    `Cannot compare pictures: expected one size, got ${a.width}×${a.height} and ${b.width}×${b.height}`,
  );
}

/** Luma from 0 to 255, not rounded. Source: ITU-R BT.601, as in Matlab's `rgb2gray`. */
export function lumaOf({ data, width, height }: RgbImage): Plane {
  const luma = new Float32Array(width * height);
  for (let i = 0, at = 0; i < luma.length; i++, at += 3) {
    luma[i] = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
  }
  return { data: luma, width, height };
}

/** The part of a picture inside `box`, as a copy; the box is cut to whole pixels of the picture. */
export function cutBox({ data, width, height }: RgbImage, box: Box): RgbImage {
  const left = Math.max(0, Math.floor(box.left));
  const top = Math.max(0, Math.floor(box.top));
  const right = Math.max(left, Math.min(width, Math.ceil(box.right)));
  const bottom = Math.max(top, Math.min(height, Math.ceil(box.bottom)));
  const part = new Uint8Array((right - left) * (bottom - top) * 3);
  for (let y = top; y < bottom; y++) {
    const row = data.subarray((y * width + left) * 3, (y * width + right) * 3);
    part.set(row, (y - top) * (right - left) * 3);
  }
  return { data: part, width: right - left, height: bottom - top };
}

/**
 * The box around points, with a margin on every side.
 *
 * @param points - coordinates one after another.
 * @param stride - numbers for each point, of which the first two are x and y in pixels.
 * @param margin - in units of the box's longer side.
 */
export function boxAround(points: ArrayLike<number>, stride: number, margin: number): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += stride) {
    left = Math.min(left, points[i]!);
    right = Math.max(right, points[i]!);
    top = Math.min(top, points[i + 1]!);
    bottom = Math.max(bottom, points[i + 1]!);
  }
  const added = margin * Math.max(right - left, bottom - top);
  return { left: left - added, top: top - added, right: right + added, bottom: bottom + added };
}

/** The smallest box that holds both. */
export function unionOf(a: Box, b: Box): Box {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}
