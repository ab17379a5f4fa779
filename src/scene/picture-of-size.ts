/** Frames of the video's size from pictures that are a row or column larger. */
import type { RgbImage } from '../image/rgb-image.ts';

/** A copy of the picture's upper left part. */
export function pictureOfSize(picture: RgbImage, width: number, height: number): RgbImage {
  // Pages that are copied need not be cleared before.
  if (picture.width === width) return { data: picture.data.slice(0, 3 * width * height), width, height };
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    data.set(picture.data.subarray(y * picture.width * 3, (y * picture.width + width) * 3), y * width * 3);
  }
  return { data, width, height };
}
