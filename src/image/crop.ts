/** Square parts of pictures, resampled to the size that networks take. */
import { assertNumberInRange } from '../errors.ts';
import { type ResampleFilter, Resampler } from './resize.ts';
import type { RgbImage } from './rgb-image.ts';

/** A square in continuous pixels: the pixel with index i covers i … i+1. It may reach beyond the picture. */
interface SquareBox {
  /** Left edge. */
  readonly x: number;
  /** Top edge. */
  readonly y: number;
  /** Length of a side, more than 0. */
  readonly size: number;
}

/**
 * The part of `image` in `box`, as `size`×`size` pixels. Where the box reaches beyond the picture, the edge is repeated.
 *
 * @throws {@link InvalidOptionError} if a number of the box is not finite, or its size not positive.
 */
export function cropSquare(
  image: RgbImage,
  box: SquareBox,
  size: number,
  filter: ResampleFilter = 'bicubic',
): RgbImage {
  assertSquareBox(box);
  const { x, y, size: side } = box;
  return cropPart(image, { x, y, width: side, height: side }, { width: size, height: size }, filter);
}

/** A rectangle in continuous pixels, as {@link SquareBox}. */
interface PartBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The same of a rectangle: the part of `image` in `box`, in pixels of another size. */
export function cropPart(
  image: RgbImage,
  box: PartBox,
  { width, height }: { readonly width: number; readonly height: number },
  filter: ResampleFilter = 'bicubic',
): RgbImage {
  const resampler = new Resampler({
    sourceWidth: image.width,
    sourceHeight: image.height,
    targetWidth: width,
    targetHeight: height,
    box,
    filter,
  });
  return resampler.apply(image);
}

/** @throws {@link InvalidOptionError} unless position and size are finite and the size is positive. */
function assertSquareBox({ x, y, size }: SquareBox): void {
  assertNumberInRange('box.x', x, -65535, 65535);
  assertNumberInRange('box.y', y, -65535, 65535);
  assertNumberInRange('box.size', size, Number.MIN_VALUE, 65535);
}
