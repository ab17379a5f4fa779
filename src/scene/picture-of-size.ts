/** Frames of the video's size from pictures that are a row or column larger. */
import type { RgbImage } from '../image/rgb-image.ts';

/**
 * A copy of the picture's upper left part.
 *
 * @param memory - as many bytes as it takes. @defaultValue fresh memory
 */
export function pictureOfSize(
  picture: RgbImage,
  width: number,
  height: number,
  memory?: Uint8Array,
): RgbImage {
  if (picture.width === width) {
    const part = picture.data.subarray(0, 3 * width * height);
    // Pages that are copied need not be cleared before.
    if (memory === undefined) return { data: part.slice(), width, height };
    memory.set(part);
    return { data: memory, width, height };
  }
  const data = memory ?? new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    data.set(picture.data.subarray(y * picture.width * 3, (y * picture.width + width) * 3), y * width * 3);
  }
  return { data, width, height };
}
