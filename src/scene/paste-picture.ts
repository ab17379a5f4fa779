/** Puts a generated square, or rectangle, back into the picture that it was cut from, with a soft edge so that no seam shows. */
import type { FaceFrame } from '../face/crop.ts';
import type { SoftMask } from '../face/lower-face-mask.ts';
import { Resampler } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { SpatialSize } from '../models/unet-config.ts';
import { pictureOfSize } from './picture-of-size.ts';

/** Share of the frame's shorter side over which the picture fades into the photo; not at the photo's own edges. */
const FADE = 0.1;

/** Sizes in pixels. */
interface PasterSizes {
  /** Of the frames, even. */
  readonly width: number;
  readonly height: number;
  /** Of the pictures that are pasted. */
  readonly size: SpatialSize;
  /** Size that they have in the frames. */
  readonly place: SpatialSize;
}

/** Pastes pictures of one clip. */
export class PicturePaster {
  readonly #width: number;
  readonly #height: number;
  readonly #resampler: Resampler;

  constructor({ width, height, size, place }: PasterSizes) {
    this.#width = width;
    this.#height = height;
    this.#resampler = new Resampler({
      sourceWidth: size.width,
      sourceHeight: size.height,
      targetWidth: place.width,
      targetHeight: place.height,
    });
  }

  /** A frame that shows the picture as it is. */
  untouched(picture: RgbImage): RgbImage {
    return pictureOfSize(picture, this.#width, this.#height);
  }

  /**
   * The photo with `picture` in its place, as a new picture.
   *
   * @param changed - the pixels that may change. @defaultValue all of the place, with soft edges
   */
  paste(picture: RgbImage, photo: RgbImage, place: FaceFrame, changed?: SoftMask): RgbImage {
    const frame = this.untouched(photo);
    const { data, width, height } = frame;
    const { x: left, y: top } = place;
    const { data: face } = this.#resampler.apply(picture);
    const fade = FADE * Math.min(place.width, place.height);
    const columns = fadeAlong(left, place.width, photo.width, fade);
    const rows = fadeAlong(top, place.height, photo.height, fade);
    const shareAt = (x: number, y: number): number => {
      if (changed === undefined) return rows[y - top]! * columns[x - left]!;
      const [column, row] = [x - changed.left, y - changed.top];
      if (column < 0 || row < 0 || column >= changed.width || row >= changed.height) return 0;
      return changed.data[row * changed.width + column]!;
    };
    for (let y = Math.max(0, top); y < Math.min(height, top + place.height); y++) {
      for (let x = Math.max(0, left); x < Math.min(width, left + place.width); x++) {
        const share = shareAt(x, y);
        if (share === 0) continue;
        const from = ((y - top) * place.width + x - left) * 3;
        const to = (y * width + x) * 3;
        for (let c = 0; c < 3; c++) {
          data[to + c] = Math.round(data[to + c]! + share * (face[from + c]! - data[to + c]!));
        }
      }
    }
    return frame;
  }
}

/** Share of the generated picture along one axis of its place; it fades over `length` pixels. */
function fadeAlong(start: number, side: number, size: number, length: number): Float32Array {
  return Float32Array.from({ length: side }, (_, i) => {
    const before = start > 0 ? (i + 0.5) / length : 1;
    const after = start + side < size ? (side - i - 0.5) / length : 1;
    const t = Math.min(1, before, after);
    return t * t * (3 - 2 * t);
  });
}
