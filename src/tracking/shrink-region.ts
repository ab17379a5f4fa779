/** Makes the part of a picture that a network looks at as small as the network sees it, in one cheap pass. */
import { type FaceRegion, liesInside } from '../face/region.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** Part of a picture, made smaller. */
interface ShrunkRegion {
  readonly image: RgbImage;
  /** The same region in the small picture's pixels: it lies in it wholly. */
  readonly region: FaceRegion;
  /** Place (x, y) of the small picture is (left + factor · x, top + factor · y) of the large one. */
  readonly left: number;
  readonly top: number;
  readonly factor: number;
}

/**
 * Cuts out what `region` covers and takes the mean of each `factor` × `factor` pixels, where the network's `size` pixels
 * are fewer than half of the region's; beyond the picture its edge is repeated. Undefined where there is nothing to gain: the
 * region lies in the picture, and is not much larger than what the network sees.
 */
export function shrinkRegion(image: RgbImage, region: FaceRegion, size: number): ShrunkRegion | undefined {
  const factor = Math.max(1, Math.floor(region.side / size));
  if (factor === 1 && liesInside(region, image.width, image.height)) return undefined;
  const reach =
    (region.side / 2) * (Math.abs(Math.cos(region.rotation)) + Math.abs(Math.sin(region.rotation)));
  const margin = 2 * factor;
  const left = Math.floor(region.centerX - reach) - margin;
  const top = Math.floor(region.centerY - reach) - margin;
  const width = Math.ceil((2 * (reach + margin)) / factor) + 1;
  const data = new Uint8Array(width * width * 3);
  const columns = clamped(left, width * factor, image.width, 3);
  const rows = clamped(top, width * factor, image.height, image.width * 3);
  if (factor === 1) cut(image.data, columns, rows, data);
  else if (factor === 2) halve(image.data, columns, rows, data);
  else shrink(image.data, columns, rows, data, factor);
  return {
    image: { data, width, height: width },
    region: {
      centerX: (region.centerX - left) / factor,
      centerY: (region.centerY - top) / factor,
      side: region.side / factor,
      rotation: region.rotation,
    },
    left,
    top,
    factor,
  };
}

/** Byte offsets of `count` columns or rows from `first` on, each `step` bytes; those outside are the nearest of the `limit`. */
function clamped(first: number, count: number, limit: number, step: number): Int32Array {
  const offsets = new Int32Array(count);
  for (let i = 0; i < count; i++) offsets[i] = Math.min(limit - 1, Math.max(0, first + i)) * step;
  return offsets;
}

function cut(source: Uint8Array, columns: Int32Array, rows: Int32Array, data: Uint8Array): void {
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = row + column;
      data[to] = source[from]!;
      data[to + 1] = source[from + 1]!;
      data[to + 2] = source[from + 2]!;
      to += 3;
    }
  }
}

/** Means of 2 × 2 pixels: what most films need, without inner loops. */
function halve(source: Uint8Array, columns: Int32Array, rows: Int32Array, data: Uint8Array): void {
  for (let y = 0, to = 0; y < rows.length; y += 2) {
    const upper = rows[y]!;
    const lower = rows[y + 1]!;
    for (let x = 0; x < columns.length; x += 2, to += 3) {
      const left = columns[x]!;
      const right = columns[x + 1]!;
      const a = upper + left;
      const b = upper + right;
      const c = lower + left;
      const d = lower + right;
      data[to] = (source[a]! + source[b]! + source[c]! + source[d]! + 2) >> 2;
      data[to + 1] = (source[a + 1]! + source[b + 1]! + source[c + 1]! + source[d + 1]! + 2) >> 2;
      data[to + 2] = (source[a + 2]! + source[b + 2]! + source[c + 2]! + source[d + 2]! + 2) >> 2;
    }
  }
}

/** Means of `factor` × `factor` pixels. */
function shrink(
  source: Uint8Array,
  columns: Int32Array,
  rows: Int32Array,
  data: Uint8Array,
  factor: number,
): void {
  const scale = 1 / factor ** 2;
  for (let y = 0, to = 0; y < rows.length; y += factor) {
    for (let x = 0; x < columns.length; x += factor, to += 3) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let row = y; row < y + factor; row++) {
        for (let column = x; column < x + factor; column++) {
          const from = rows[row]! + columns[column]!;
          red += source[from]!;
          green += source[from + 1]!;
          blue += source[from + 2]!;
        }
      }
      data[to] = red * scale + 0.5;
      data[to + 1] = green * scale + 0.5;
      data[to + 2] = blue * scale + 0.5;
    }
  }
}
