/** Small pictures of videos and portraits for reports. */
import { encodeImage } from '../image/encode-image.ts';
import { loadImage } from '../image/load-image.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { type FfmpegInfo, locateFfmpeg } from '../media/ffmpeg-path.ts';
import { readFrames } from '../media/read-frames.ts';

/** Longer side, in pixels: twice what is shown, for sharp screens. */
const SIDE = 144;
const QUALITY = 72;
/** Seconds into a video: its mouth has begun to move. */
const AT_FRAME = 12;

/** Makes thumbnails as JPEG; none where the file cannot be read. */
export class Thumbnails {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #side: number;
  #ffmpeg: Promise<FfmpegInfo> | undefined;

  /**
   * @param env - where ffmpeg is looked for.
   * @param side - longer side, in pixels.
   */
  constructor(env: Readonly<Record<string, string | undefined>>, side: number = SIDE) {
    this.#env = env;
    this.#side = side;
  }

  /** A frame near the beginning of a video. */
  async ofVideo(file: string): Promise<Uint8Array | undefined> {
    try {
      this.#ffmpeg ??= locateFfmpeg({ env: this.#env });
      let picture: RgbImage | undefined;
      let frame = 0;
      for await (const next of readFrames(file, { ffmpeg: await this.#ffmpeg })) {
        picture = next;
        if (frame++ === AT_FRAME) break;
      }
      return picture && (await shrink(picture, this.#side));
    } catch {
      return undefined;
    }
  }

  async ofPortrait(file: string): Promise<Uint8Array | undefined> {
    try {
      return await shrink(await loadImage(file), this.#side);
    } catch {
      return undefined;
    }
  }
}

async function shrink(image: RgbImage, longest: number): Promise<Uint8Array> {
  const scale = Math.min(1, longest / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  return encodeImage(resizeImage(image, width!, height!, 'area'), 'jpeg', QUALITY);
}
