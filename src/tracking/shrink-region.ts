/** Makes the part of a picture that a network looks at as small as the network sees it, in one cheap pass. */
import { type FaceRegion, liesInside } from '../face/region.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { pixelKernels } from '../pixels/pixel-kernels.ts';

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
  const data = meansOf(cutOut(image, left, top, width * factor), width, factor);
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

/** Places of a square of pixels in the kernels' memory, and how many. */
interface CutOut {
  readonly source: number;
  readonly target: number;
  readonly side: number;
}

/** Copies a square to the kernels' memory; beyond the picture its edge is repeated. */
function cutOut({ data, width, height }: RgbImage, left: number, top: number, side: number): CutOut {
  const kernels = pixelKernels();
  const stride = 3 * side;
  const [source, target] = kernels.layOut([side * stride + 4, stride + 4]);
  const bytes = kernels.bytes(source, side * stride);
  const from = Math.min(width - 1, Math.max(0, left));
  const to = Math.max(from + 1, Math.min(width, left + side));
  /** Pixels of each row that lie left of what the picture has. */
  const before = Math.min(side - 1, Math.max(0, from - left));
  for (let y = 0; y < side; y++) {
    const row = Math.min(height - 1, Math.max(0, top + y)) * width;
    const count = Math.min(side - before, to - from);
    const begin = y * stride + 3 * before;
    bytes.set(data.subarray(3 * (row + from), 3 * (row + from + count)), begin);
    for (let i = begin - 1; i >= y * stride; i--) bytes[i] = bytes[i + 3]!;
    for (let i = begin + 3 * count; i < (y + 1) * stride; i++) bytes[i] = bytes[i - 3]!;
  }
  return { source, target, side };
}

/** Means of `factor` × `factor` pixels of a square, [width, width, 3]. */
function meansOf({ source, target, side }: CutOut, width: number, factor: number): Uint8Array {
  const kernels = pixelKernels();
  const stride = 3 * side;
  if (factor === 1) return kernels.bytes(source, side * stride).slice();
  const data = new Uint8Array(width * width * 3);
  const row = kernels.bytes(target, 3 * width);
  for (let y = 0; y < width; y++) {
    kernels.run.meanRow(target, width, source + y * factor * stride, stride, factor);
    data.set(row, y * 3 * width);
  }
  return data;
}
