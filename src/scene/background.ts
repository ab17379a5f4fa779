/** What stands behind the person: the photo's own, or a colour, a picture, the photo out of focus, or nothing. */
import { InvalidOptionError } from '../errors.ts';
import type { PersonMatter } from '../face/person-matte.ts';
import { estimateLayers } from '../image/estimate-foreground.ts';
import { loadImage } from '../image/load-image.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { BACKGROUND_EXPECTED, colourOf, isBackgroundWord } from './background-words.ts';
import { blurImage, coverWith, type Rectangle } from './video-shape.ts';

/** How soft the photo behind the person is, as a share of its longer side. */
const OUT_OF_FOCUS = 0.02;

/** A portrait that is cut out. */
export interface CutOut {
  /** The person's colours, continued behind what stood there. */
  readonly foreground: RgbImage;
  /** [width · height], 0 (behind) to 255 (the person). */
  readonly alpha: Uint8Array;
  /** What stands behind; undefined for nothing. */
  readonly behind: RgbImage | undefined;
}

/**
 * Cuts a person out and makes what stands behind.
 *
 * @param background - as {@link BACKGROUND_EXPECTED} says.
 * @param face - box of the person's landmarks.
 * @throws {@link MediaError} if a picture cannot be read.
 */
export async function cutOut(
  image: RgbImage,
  background: string,
  { face, matter }: { readonly face: Rectangle; readonly matter: PersonMatter },
): Promise<CutOut> {
  const { width, height } = image;
  // A picture that cannot be read is said before the work.
  const behindFile = isBackgroundWord(background) ? undefined : await openBehind(background);
  const matte = await matter.matte(image, face);
  const { foreground, background: seen } = estimateLayers(image, matte);
  const alpha = Uint8Array.from(matte, (value) => Math.round(255 * value));
  const behind = (): RgbImage | undefined => {
    if (behindFile !== undefined) return coverWith(behindFile, { width, height });
    if (background === 'transparent') return undefined;
    if (background === 'blurred') return blurImage(seen, OUT_OF_FOCUS);
    const colour = colourOf(background)!;
    return { data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!), width, height };
  };
  return { foreground, alpha, behind: behind() };
}

async function openBehind(file: string): Promise<RgbImage> {
  try {
    return await loadImage(file);
  } catch (error) {
    // A word that is misspelt is no file.
    if (/[./\\]/.test(file)) throw error;
    throw new InvalidOptionError(
      { expected: BACKGROUND_EXPECTED, got: JSON.stringify(file) },
      'background',
      file,
      { cause: error },
    );
  }
}

/**
 * A frame in front of what stands behind.
 *
 * @param frame - the person's colours.
 * @param alpha - how much of each pixel the person covers, 0 to 255.
 * @param behind - at least as large; undefined gives four channels, the last one `alpha`.
 */
export function placeInFront(frame: RgbImage, alpha: Uint8Array, behind: RgbImage | undefined): RgbImage {
  const { data, width, height } = frame;
  const pixels = width * height;
  if (behind === undefined) {
    const out = new Uint8Array(pixels * 4);
    for (let i = 0; i < pixels; i++) {
      for (let c = 0; c < 3; c++) out[4 * i + c] = data[3 * i + c]!;
      out[4 * i + 3] = alpha[i]!;
    }
    return { data: out, width, height };
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const share = alpha[i]! / 255;
      if (share === 1) continue;
      const from = (y * behind.width + x) * 3;
      for (let c = 0; c < 3; c++) {
        const back = behind.data[from + c]!;
        data[3 * i + c] = Math.round(back + (data[3 * i + c]! - back) * share);
      }
    }
  }
  return frame;
}
