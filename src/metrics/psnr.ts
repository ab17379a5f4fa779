/** How far two pictures lie apart, sample by sample. */
import type { RgbImage } from '../image/rgb-image.ts';
import { assertSameSize } from './picture.ts';

const PEAK = 255;

/**
 * Mean of squared differences over the R, G and B bytes of both pictures.
 *
 * @throws {@link ShapeError} if the sizes differ.
 */
export function meanSquaredError(a: RgbImage, b: RgbImage): number {
  assertSameSize(a, b);
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i]! - b.data[i]!) ** 2;
  return sum / a.data.length;
}

/**
 * Peak signal-to-noise ratio in dB, over R, G and B together; infinite for equal pictures.
 *
 * Source: as ffmpeg's filter `psnr` computes it for planar RGB (`average`).
 * @throws {@link ShapeError} if the sizes differ.
 */
export function psnr(a: RgbImage, b: RgbImage): number {
  return psnrOfError(meanSquaredError(a, b));
}

/** The ratio that belongs to a mean squared error; a clip's is that of its frames' mean error. */
export function psnrOfError(error: number): number {
  return 10 * Math.log10(PEAK ** 2 / error);
}

/** Largest difference of two bytes at one place. */
export function largestDifference(a: RgbImage, b: RgbImage): number {
  assertSameSize(a, b);
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) largest = Math.max(largest, Math.abs(a.data[i]! - b.data[i]!));
  return largest;
}
