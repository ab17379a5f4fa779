/** How sharp eyes and mouth of a face are: the energy in the upper half of the frequencies, inside of their boxes. */
import { resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

/** Corners and lids of both eyes; corners and lips. */
const FEATURES = {
  eyes: [33, 133, 159, 145, 263, 362, 386, 374],
  mouth: [61, 291, 0, 17],
} as const;
/** Name of a measured part of the face. */
export type Feature = keyof typeof FEATURES;
export const FEATURE_NAMES = Object.keys(FEATURES) as Feature[];

/** Margin around the landmarks, as a share of their box. */
const MARGIN = 0.15;

/**
 * Root mean square of what is lost when a picture is made half as large and large again, in levels.
 *
 * @param landmarks - [468 · 3] px.
 */
export function sharpnessOf(image: RgbImage, landmarks: ArrayLike<number>, feature: Feature): number {
  const indices = FEATURES[feature];
  // The eyes are two boxes, the mouth one.
  const groups = feature === 'eyes' ? [indices.slice(0, 4), indices.slice(4)] : [indices];
  let [sum, count] = [0, 0];
  for (const group of groups) {
    const xs = group.map((index) => landmarks[3 * index]!);
    const ys = group.map((index) => landmarks[3 * index + 1]!);
    const [left, right] = widened(xs, image.width);
    const [top, bottom] = widened(ys, image.height);
    const part = partOf(image, left - REACH, top - REACH, right + REACH, bottom + REACH);
    const detail = fineDetail(part);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        sum += detail[(y - part.top) * part.width + x - part.left]! ** 2;
        count++;
      }
    }
  }
  return Math.sqrt(sum / count);
}

/** Pixels that the filters read around a box. */
const REACH = 12;

/** A part of a picture that begins at even pixels, as its half size asks for. */
function partOf(
  { data, width, height }: RgbImage,
  left: number,
  top: number,
  right: number,
  bottom: number,
): RgbImage & { readonly left: number; readonly top: number } {
  const begin = (value: number): number => Math.max(0, value) & ~1;
  const [x, y] = [begin(left), begin(top)];
  const columns = (Math.min(width, right) - x) & ~1;
  const rows = (Math.min(height, bottom) - y) & ~1;
  const out = new Uint8Array(3 * columns * rows);
  for (let row = 0; row < rows; row++) {
    const from = 3 * ((y + row) * width + x);
    out.set(data.subarray(from, from + 3 * columns), 3 * row * columns);
  }
  return { data: out, width: columns, height: rows, left: x, top: y };
}

function widened(values: readonly number[], size: number): [from: number, to: number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = MARGIN * (most - least);
  return [Math.max(0, Math.round(least - margin)), Math.min(size, Math.round(most + margin))];
}

/** Brightness without what a picture of half the size keeps. */
function fineDetail(image: RgbImage): Float32Array {
  const { data, width, height } = image;
  const half = resizeImage(image, width >> 1, height >> 1, 'lanczos');
  const coarse = resizeImage(half, width, height, 'bicubic').data;
  const brightness = (bytes: Uint8Array, i: number): number =>
    0.2126 * bytes[3 * i]! + 0.7152 * bytes[3 * i + 1]! + 0.0722 * bytes[3 * i + 2]!;
  return Float32Array.from({ length: width * height }, (_, i) => brightness(data, i) - brightness(coarse, i));
}
