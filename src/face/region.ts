/**
 * Rotated squares of an image that the face networks look at.
 *
 * Source: MediaPipe, graphs face_detection_front_detection_to_roi and face_landmark_landmarks_to_roi.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';
import { boundsOf } from './bounds.ts';

/** A square of an image in pixels; its own x axis is turned by `rotation` radians, clockwise as seen. */
export interface FaceRegion {
  readonly centerX: number;
  readonly centerY: number;
  readonly side: number;
  readonly rotation: number;
}

/** What {@link sampleRegion} returns outside of the image: black, or the nearest pixel of the edge. */
type Border = 'zero' | 'replicate';

/** Options of {@link sampleRegion}. */
interface SampleOptions {
  /** Width and height of the result. */
  readonly size: number;
  /** The result is byte · `scale` + `offset`. */
  readonly scale: number;
  readonly offset: number;
  readonly border: Border;
}

/** How much larger than the face the landmark network's region is. */
const REGION_SCALE = 1.5;
/** Outer corners of the right and the left eye. */
const EYE_CORNERS = [33, 263] as const;

/** The landmark network's region from a detector's box (px) and the eyes' centres, right eye (of the person) first. */
export function regionFromBox(
  box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  rightEye: readonly [x: number, y: number],
  leftEye: readonly [x: number, y: number],
): FaceRegion {
  return {
    centerX: box.x + box.width / 2,
    centerY: box.y + box.height / 2,
    side: Math.max(box.width, box.height) * REGION_SCALE,
    rotation: Math.atan2(leftEye[1] - rightEye[1], leftEye[0] - rightEye[0]),
  };
}

/** The landmark network's region from an earlier result, `points` [468 · 3] px. */
export function regionFromLandmarks(points: ArrayLike<number>): FaceRegion {
  const { left, top, right, bottom } = boundsOf(points, 3);
  const corner = (index: number): [number, number] => [points[index * 3]!, points[index * 3 + 1]!];
  const box = { x: left, y: top, width: right - left, height: bottom - top };
  return regionFromBox(box, corner(EYE_CORNERS[0]), corner(EYE_CORNERS[1]));
}

/**
 * Resamples a region bilinearly; where the image is shrunk, each value is the mean of several samples.
 *
 * @returns `[1, size, size, 3]`, channels R, G, B.
 */
export function sampleRegion(
  image: RgbImage,
  region: FaceRegion,
  { size, scale, offset, border }: SampleOptions,
): Tensor {
  const { data, width, height } = image;
  const result = zeros([1, size, size, 3]);
  const out = result.data;
  const step = region.side / size;
  const taps = Math.max(1, Math.round(step));
  const weight = 1 / (taps * taps);
  const cos = Math.cos(region.rotation) * step;
  const sin = Math.sin(region.rotation) * step;
  if (taps === 1 && liesInside(region, width, height)) {
    sampleInside(image, region, { size, cos, sin, scale, offset }, out);
    return result;
  }
  const isBlack = border === 'zero';
  for (let j = 0, at = 0; j < size; j++) {
    for (let i = 0; i < size; i++, at += 3) {
      // Scalars instead of pairs: this runs once or twice in a process, before the compiler sees through them.
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let tap = 0; tap < taps * taps; tap++) {
        const u = i + ((tap % taps) + 0.5) / taps - size / 2;
        const v = j + (Math.floor(tap / taps) + 0.5) / taps - size / 2;
        // Pixel centres lie at half coordinates.
        const x = region.centerX + u * cos - v * sin - 0.5;
        const y = region.centerY + u * sin + v * cos - 0.5;
        const x0 = Math.floor(x);
        const y0 = Math.floor(y);
        const fx = x - x0;
        const fy = y - y0;
        const w00 = (1 - fx) * (1 - fy);
        const w10 = fx * (1 - fy);
        const w01 = (1 - fx) * fy;
        const w11 = fx * fy;
        if (x0 >= 0 && y0 >= 0 && x0 + 1 < width && y0 + 1 < height) {
          const p = (y0 * width + x0) * 3;
          const q = p + width * 3;
          red += w00 * data[p]! + w10 * data[p + 3]! + w01 * data[q]! + w11 * data[q + 3]!;
          green += w00 * data[p + 1]! + w10 * data[p + 4]! + w01 * data[q + 1]! + w11 * data[q + 4]!;
          blue += w00 * data[p + 2]! + w10 * data[p + 5]! + w01 * data[q + 2]! + w11 * data[q + 5]!;
        } else {
          red += mixAtEdge(image, isBlack, x0, y0, w00, w10, w01, w11, 0);
          green += mixAtEdge(image, isBlack, x0, y0, w00, w10, w01, w11, 1);
          blue += mixAtEdge(image, isBlack, x0, y0, w00, w10, w01, w11, 2);
        }
      }
      out[at] = red * weight * scale + offset;
      out[at + 1] = green * weight * scale + offset;
      out[at + 2] = blue * weight * scale + offset;
    }
  }
  return result;
}

/**
 * A value between four pixels, some of which lie outside. No closure of {@link sampleRegion}, for which the compiler would begin again at
 * every call.
 */
function mixAtEdge(
  image: RgbImage,
  isBlack: boolean,
  x0: number,
  y0: number,
  w00: number,
  w10: number,
  w01: number,
  w11: number,
  channel: number,
): number {
  return (
    w00 * pixelAt(image, isBlack, x0, y0, channel) +
    w10 * pixelAt(image, isBlack, x0 + 1, y0, channel) +
    w01 * pixelAt(image, isBlack, x0, y0 + 1, channel) +
    w11 * pixelAt(image, isBlack, x0 + 1, y0 + 1, channel)
  );
}

/** @param isBlack - what is outside; else it is as the edge next to it. */
function pixelAt(
  { data, width, height }: RgbImage,
  isBlack: boolean,
  x: number,
  y: number,
  channel: number,
): number {
  if (isBlack && (x < 0 || y < 0 || x >= width || y >= height)) return 0;
  const column = x < 0 ? 0 : x >= width ? width - 1 : x;
  const row = y < 0 ? 0 : y >= height ? height - 1 : y;
  return data[(row * width + column) * 3 + channel]!;
}

/** Whether all of a region, and the pixels around it that bilinear samples mix in, lies in a picture of this size. */
export function liesInside(region: FaceRegion, width: number, height: number): boolean {
  const { centerX, centerY, side, rotation } = region;
  const reach = (side / 2) * (Math.abs(Math.cos(rotation)) + Math.abs(Math.sin(rotation))) + 1;
  return (
    centerX - reach >= 0 && centerY - reach >= 0 && centerX + reach <= width && centerY + reach <= height
  );
}

/** The numbers of {@link sampleRegion} for one sample a value, without looking for edges: what films need for each frame. */
function sampleInside(
  { data, width, height }: RgbImage,
  { centerX, centerY }: FaceRegion,
  {
    size,
    cos,
    sin,
    scale,
    offset,
  }: {
    readonly size: number;
    readonly cos: number;
    readonly sin: number;
    readonly scale: number;
    readonly offset: number;
  },
  out: Float32Array,
): void {
  const stride = width * 3;
  // Rows that are looked at; pixel centres lie at half coordinates.
  const reach = (size / 2) * (Math.abs(cos) + Math.abs(sin)) + 1;
  const top = Math.max(0, Math.floor(centerY - reach));
  const bottom = Math.min(height, Math.ceil(centerY + reach) + 1);
  const kernels = pixelKernels();
  const [source, target] = kernels.layOut([(bottom - top) * stride + 4, 4 * (out.length + 1)]);
  kernels.bytes(source, (bottom - top) * stride).set(data.subarray(top * stride, bottom * stride));
  const first = 0.5 - size / 2;
  const x = centerX + first * (cos - sin) - 0.5;
  const y = centerY + first * (sin + cos) - 0.5 - top;
  kernels.run.sampleSquare(target, size, source, stride, x, y, cos, sin, scale, offset);
  out.set(kernels.floats(target, out.length));
}
