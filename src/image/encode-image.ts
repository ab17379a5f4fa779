/** Pictures as PNG and JPEG files. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { InvalidOptionError, MediaError } from '../errors.ts';
import type { RgbImage } from './rgb-image.ts';
import { sharp } from './sharp.ts';

/** File formats of {@link encodeImage}. */
type ImageFormat = 'png' | 'jpeg';

/**
 * The bytes of a file with this picture.
 *
 * @param quality - of JPEG, 1 to 100; PNG keeps every pixel.
 */
export async function encodeImage(image: RgbImage, format: ImageFormat, quality = 92): Promise<Uint8Array> {
  const { data, width, height } = image;
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  // At full chroma resolution: lips are what subsampling smears first.
  return format === 'png'
    ? picture.png().toBuffer()
    : picture.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
}

/**
 * Writes a picture in the format of the file's extension: .png, .jpg or .jpeg.
 *
 * @throws {@link InvalidOptionError} for other extensions.
 * @throws {@link MediaError} if the file cannot be written.
 */
export async function saveImage(imagePath: string, image: RgbImage): Promise<void> {
  const extension = path.extname(imagePath).toLowerCase();
  if (extension !== '.png' && extension !== '.jpg' && extension !== '.jpeg') {
    throw new InvalidOptionError(
      `Cannot write ${imagePath}: expected a name that ends in .png, .jpg, .jpeg, got ${extension || 'no extension'}`,
      'path',
      imagePath,
    );
  }
  const bytes = await encodeImage(image, extension === '.png' ? 'png' : 'jpeg');
  try {
    await writeFile(imagePath, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new MediaError(
      `Cannot write ${imagePath}: expected a place for a file, got an error (${code})`,
      imagePath,
      { cause: error },
    );
  }
}
