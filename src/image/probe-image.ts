/** What a picture's header says, without decoding the picture. */

import { MediaError } from '../errors.ts';
import { sharp } from './sharp.ts';

/** Size of a picture as it is shown. */
interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Reads a header; nothing is decoded, so that a small file that unfolds to a huge picture costs nothing.
 *
 * @throws {@link MediaError} if the file is no picture.
 */
export async function probeImage(imagePath: string): Promise<ImageSize> {
  try {
    const { autoOrient } = await sharp(imagePath, { limitInputPixels: false }).metadata();
    return { width: autoOrient.width, height: autoOrient.height };
  } catch (cause) {
    throw new MediaError(
      `Cannot read image ${imagePath}: expected a picture (JPEG, PNG, WebP, AVIF, TIFF, GIF), got a file that is damaged or in no such format`,
      imagePath,
      { cause },
    );
  }
}
