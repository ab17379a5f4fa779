/** Pictures from files as upright 8-bit sRGB without transparency, whatever they are stored as. */
import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { describeFileProblem, MediaError } from '../errors.ts';
import type { RgbImage } from './rgb-image.ts';

/** Default limit of {@link loadImage}: 64 megapixels are 192 MB of RGB, and more than phones' main cameras give. */
const MAX_IMAGE_PIXELS = 64_000_000;
/** No picture within the pixel limit needs more; reading stops before memory does. */
const MAX_FILE_BYTES = 512_000_000;
/** Light neutral grey: cut-out portraits get neither a dark nor a glaring rim. */
const BACKGROUND = { r: 224, g: 224, b: 224 };
/** Brands of HEIF files that hold HEVC, for which there is no free decoder. */
const HEIC_BRANDS = new Set(['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx']);

/** Options of {@link loadImage}. */
interface LoadImageOptions {
  /** Larger pictures are refused by their header, before they are decoded. @defaultValue {@link MAX_IMAGE_PIXELS} */
  readonly maxPixels?: number;
  /** Receives a sentence for what is odd but usable: an animation of which the first picture is taken. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/**
 * Loads any picture that sharp reads: turned as EXIF says, converted from its colour profile, CMYK, grey, palette or 16 bit,
 * transparency on light grey, the first picture of several.
 *
 * @throws {@link MediaError} if the file cannot be read, is no picture, is damaged, or has more than `maxPixels` pixels.
 */
export async function loadImage(imagePath: string, options: LoadImageOptions = {}): Promise<RgbImage> {
  const { maxPixels = MAX_IMAGE_PIXELS, onNotice } = options;
  const refuse = (expected: string, got: string, cause?: unknown) =>
    new MediaError(`Cannot read image ${imagePath}: expected ${expected}, got ${got}`, imagePath, { cause });

  const bytes = await readBytes(imagePath, refuse);
  // The limit is checked here, where the message can name it.
  const source = () => sharp(bytes, { limitInputPixels: false, failOn: 'warning', autoOrient: true });
  const header = await source()
    .metadata()
    .catch((cause: unknown) => {
      if (isHeic(bytes)) throw refuseHeic(refuse, cause);
      throw refuse('a picture (JPEG, PNG, WebP, AVIF, TIFF, GIF)', 'a file in no such format', cause);
    });
  if (header.width * header.height > maxPixels) {
    throw refuse(
      `at most ${(maxPixels / 1e6).toFixed(1)} megapixels`,
      `${header.width}×${header.height}; make it smaller first`,
    );
  }
  if ((header.pages ?? 1) > 1) {
    onNotice?.(`${imagePath} has ${header.pages} pictures: used the first`);
  }
  try {
    const { data, info } = await source()
      .flatten({ background: BACKGROUND })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
      width: info.width,
      height: info.height,
    };
  } catch (cause) {
    if (isHeic(bytes)) throw refuseHeic(refuse, cause);
    const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
    throw refuse('a whole picture', `a damaged one (${reason})`, cause);
  }
}

type Refuse = (expected: string, got: string, cause?: unknown) => MediaError;

async function readBytes(imagePath: string, refuse: Refuse): Promise<Buffer> {
  try {
    const stats = await stat(imagePath);
    if (stats.isDirectory()) throw refuse('a file', 'a folder');
    if (!stats.isFile()) throw refuse('a file', 'a device or a pipe');
    if (stats.size === 0) throw refuse('a file', 'one of zero bytes');
    if (stats.size > MAX_FILE_BYTES)
      throw refuse(`at most ${MAX_FILE_BYTES / 1e6} MB`, `${Math.round(stats.size / 1e6)} MB`);
    // By its bytes, because libvips remembers pictures by their path, also when the file has changed.
    return await readFile(imagePath);
  } catch (error) {
    if (error instanceof MediaError) throw error;
    throw refuse('a file', describeFileProblem(error), error);
  }
}

function isHeic(bytes: Buffer): boolean {
  if (bytes.toString('latin1', 4, 8) !== 'ftyp') return false;
  const brands = bytes.toString('latin1', 8, Math.min(bytes.readUInt32BE(0), 128)).match(/.{4}/gs) ?? [];
  return brands.some((brand) => HEIC_BRANDS.has(brand));
}

function refuseHeic(refuse: Refuse, cause: unknown): MediaError {
  return refuse('a JPEG, PNG, WebP, AVIF, TIFF or GIF picture', 'HEIC; save it as JPEG or PNG', cause);
}
