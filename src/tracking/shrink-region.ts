/** Makes the part of a picture that a network looks at as small as the network sees it, in one cheap pass. */
import type { FaceRegion } from '../face/region.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** Part of a picture, made smaller. */
interface ShrunkRegion {
  readonly image: RgbImage;
  /** The same region in the small picture's pixels. */
  readonly region: FaceRegion;
  /** Place (x, y) of the small picture is (left + factor · x, top + factor · y) of the large one. */
  readonly left: number;
  readonly top: number;
  readonly factor: number;
}

/**
 * Cuts out what `region` covers and takes the mean of each `factor` × `factor` pixels, where the network's `size` pixels
 * are fewer than half of the region's; undefined where there is nothing to gain.
 */
export function shrinkRegion(image: RgbImage, region: FaceRegion, size: number): ShrunkRegion | undefined {
  const factor = Math.floor(region.side / size);
  if (factor < 2) return undefined;
  const reach =
    (region.side / 2) * (Math.abs(Math.cos(region.rotation)) + Math.abs(Math.sin(region.rotation)));
  const margin = 2 * factor;
  const left = Math.max(0, Math.floor(region.centerX - reach) - margin);
  const top = Math.max(0, Math.floor(region.centerY - reach) - margin);
  const right = Math.min(image.width, Math.ceil(region.centerX + reach) + margin);
  const bottom = Math.min(image.height, Math.ceil(region.centerY + reach) + margin);
  const width = Math.floor((right - left) / factor);
  const height = Math.floor((bottom - top) / factor);
  if (width < 1 || height < 1) return undefined;
  const data = new Uint8Array(width * height * 3);
  const origin = (top * image.width + left) * 3;
  (factor === 2 ? halve : shrink)(image.data, origin, image.width * 3, { data, width, height }, factor);
  return {
    image: { data, width, height },
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

/** Means of 2 × 2 pixels from byte `origin` on: what most films need, without inner loops. */
function halve(source: Uint8Array, origin: number, stride: number, { data, width, height }: RgbImage): void {
  for (let y = 0, to = 0; y < height; y++) {
    let from = origin + 2 * y * stride;
    for (let x = 0; x < width; x++, from += 6, to += 3) {
      const below = from + stride;
      data[to] = (source[from]! + source[from + 3]! + source[below]! + source[below + 3]! + 2) >> 2;
      data[to + 1] =
        (source[from + 1]! + source[from + 4]! + source[below + 1]! + source[below + 4]! + 2) >> 2;
      data[to + 2] =
        (source[from + 2]! + source[from + 5]! + source[below + 2]! + source[below + 5]! + 2) >> 2;
    }
  }
}

/** Means of `factor` × `factor` pixels from byte `origin` on. */
function shrink(
  source: Uint8Array,
  origin: number,
  stride: number,
  { data, width, height }: RgbImage,
  factor: number,
): void {
  const scale = 1 / factor ** 2;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      let [red, green, blue] = [0, 0, 0];
      for (let row = 0; row < factor; row++) {
        let from = origin + (y * factor + row) * stride + x * factor * 3;
        for (let column = 0; column < factor; column++, from += 3) {
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
