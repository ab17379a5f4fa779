/** Pictures from files as upright 8-bit sRGB without transparency, whatever they are stored as. */
import { readFile, stat } from 'node:fs/promises';
import type { Sharp } from 'sharp';
import { describeFileProblem, MediaError } from '../errors.ts';
import { nameFileKind } from './file-kind.ts';
import type { RgbImage } from './rgb-image.ts';
import { sharp } from './sharp.ts';

/** Default limit of {@link loadImage}, more than any camera of a phone gives; what is larger is a map or a trap. */
const MAX_IMAGE_PIXELS = 250_000_000;
/** Pictures with more pixels are made smaller while they are read, to at most so many: 72 MB of RGB. */
const MAX_READ_PIXELS = 32_000_000;
const READ_PIXELS = 24_000_000;
/** No picture within the pixel limit needs more; reading stops before memory does. */
const MAX_FILE_BYTES = 512_000_000;
/** Light neutral grey: cut-out portraits get neither a dark nor a glaring rim. */
const BACKGROUND = { r: 224, g: 224, b: 224 };

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
  const header = await openImage(bytes)
    .metadata()
    .catch((cause: unknown) => {
      const kind = nameFileKind(bytes);
      if (kind !== undefined) throw refuse(FORMATS, `${kind}; save it as JPEG or PNG`, cause);
      // The format is known, and what the file says of itself cannot be read.
      const [, reason] = /corrupt header:\s*(.*)/.exec(String(cause)) ?? [];
      if (reason === undefined) throw refuse(FORMATS, 'a file in no such format', cause);
      const why = reason === '' ? 'its header is cut off' : reason;
      throw refuse('a whole picture', `a damaged or an unusual one (${why}); save it as JPEG or PNG`, cause);
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
  const { width, height } = header.autoOrient;
  const scale = width * height > MAX_READ_PIXELS ? Math.sqrt(READ_PIXELS / (width * height)) : 1;
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  if (scale < 1)
    onNotice?.(`${imagePath} has ${width}×${height} pixels: read at ${size.width}×${size.height}`);
  const shrunk = scale < 1 ? size : undefined;
  const faults = new Set<string>();
  const note = (warning: string) => {
    const fault = describeFault(warning);
    if (fault) faults.add(fault);
  };
  try {
    const image = await decode(bytes, shrunk, note).catch(async (error: Error) => {
      // All rows may be there where only the end marker is missing; where they are not, the decoder says more than one thing.
      if (header.format !== 'jpeg' || !/premature end/.test(error.message)) throw error;
      faults.clear();
      let warnings = 0;
      const ended = await decode(Buffer.concat([bytes, JPEG_END]), shrunk, (warning) => {
        warnings = Math.max(warnings, Number(/^read gave (\d+) warnings/.exec(warning)?.[1] ?? 0));
        note(warning);
      });
      if (warnings > 1) throw error;
      faults.add('its end marker is missing');
      return ended;
    });
    for (const fault of faults) {
      if (/premature end of data segment|not enough data/.test(fault)) throw new Error(fault);
    }
    if (faults.size > 0) {
      onNotice?.(`${imagePath} has faults that do not keep it from being read: ${[...faults].join('; ')}`);
    }
    return image;
  } catch (cause) {
    const kind = nameFileKind(bytes);
    if (kind !== undefined) throw refuse(FORMATS, `${kind}; save it as JPEG or PNG`, cause);
    const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
    throw refuse('a whole picture', `a damaged one (${reason})`, cause);
  }
}

const FORMATS = 'a picture (JPEG, PNG, WebP, AVIF, TIFF, GIF)';
const JPEG_END = Buffer.from([0xff, 0xd9]);

/** The limit of size is checked by the caller, whose message can name it; what viewers show with a fault is read. */
function openImage(bytes: Buffer): Sharp {
  return sharp(bytes, { limitInputPixels: false, failOn: 'truncated', autoOrient: true });
}

async function decode(
  bytes: Buffer,
  size: { readonly width: number; readonly height: number } | undefined,
  onWarning: (warning: string) => void,
): Promise<RgbImage> {
  const opened = openImage(bytes).on('warning', onWarning);
  // Decoders of JPEG skip what is not needed for a smaller picture.
  const sized = size === undefined ? opened : opened.resize({ ...size, fit: 'fill' });
  const { data, info } = await sized
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
}

/** What a decoder warns of, in a few words; nothing for the number of warnings alone. */
function describeFault(warning: string): string {
  return warning
    .split('\n')
    .filter((line) => !/^(read gave \d+ warnings|error in tile)/.test(line))
    .map((line) => line.replace(/^.*?(VipsJpeg|vipspng): /, '').trim())
    .filter((line) => line !== '')
    .slice(0, 1)
    .join('');
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
