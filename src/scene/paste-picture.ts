/** Puts a generated square back into the photo that it was cut from, with a soft edge so that no seam shows. */
import type { Square } from '../face/crop.ts';
import { Resampler } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';

/** Share of the square's side over which the picture fades into the photo; not at the photo's own edges. */
const FADE = 0.1;

/** Pastes squares of one clip. */
export class PicturePaster {
  readonly width: number;
  readonly height: number;
  readonly #image: RgbImage;
  readonly #square: Square;
  readonly #resampler: Resampler;
  readonly #columns: Float32Array;
  readonly #rows: Float32Array;

  /**
   * @param image - the photo; the result has its size without an odd last row or column, which H.264 cannot have.
   * @param square - where the squares belong.
   * @param size - side of the squares in pixels.
   */
  constructor(image: RgbImage, square: Square, size: number) {
    this.width = image.width & ~1;
    this.height = image.height & ~1;
    this.#image = image;
    this.#square = square;
    this.#resampler = new Resampler({
      sourceWidth: size,
      sourceHeight: size,
      targetWidth: square.side,
      targetHeight: square.side,
    });
    this.#columns = fadeAlong(square.x, square.side, image.width);
    this.#rows = fadeAlong(square.y, square.side, image.height);
  }

  /** The photo with `picture` in its square, as a new picture. */
  paste(picture: RgbImage): RgbImage {
    const { width, height } = this;
    const { x: left, y: top, side } = this.#square;
    const { data: photo, width: stride } = this.#image;
    const { data: face } = this.#resampler.apply(picture);
    const data = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++) {
      data.set(photo.subarray(y * stride * 3, (y * stride + width) * 3), y * width * 3);
    }
    for (let y = Math.max(0, top); y < Math.min(height, top + side); y++) {
      for (let x = Math.max(0, left); x < Math.min(width, left + side); x++) {
        const share = this.#rows[y - top]! * this.#columns[x - left]!;
        const from = ((y - top) * side + x - left) * 3;
        const to = (y * width + x) * 3;
        for (let c = 0; c < 3; c++) {
          data[to + c] = Math.round(data[to + c]! + share * (face[from + c]! - data[to + c]!));
        }
      }
    }
    return { data, width, height };
  }
}

/** Share of the generated picture along one axis of the square. */
function fadeAlong(start: number, side: number, size: number): Float32Array {
  const length = FADE * side;
  return Float32Array.from({ length: side }, (_, i) => {
    const before = start > 0 ? (i + 0.5) / length : 1;
    const after = start + side < size ? (side - i - 0.5) / length : 1;
    const t = Math.min(1, before, after);
    return t * t * (3 - 2 * t);
  });
}
