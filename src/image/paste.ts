/** Puts animated square crops back into the picture that they were cut from. */
import { assertNumberInRange, ShapeError } from '../errors.ts';
import { assertSquareBox, type SquareBox } from './crop.ts';
import { type ResampleFilter, Resampler } from './resize.ts';
import type { RgbImage } from './rgb-image.ts';

/** Opacities of a square, row by row, 0 (the picture below) to 1 (the crop). */
export interface SquareMask {
  readonly data: Float32Array;
  readonly size: number;
}

/**
 * A mask that is 1 inside and falls smoothly to 0 at the border of the square, with round corners.
 *
 * @param feather - width of the soft rim as a part of the side, 0 to 0.5.
 */
export function featheredMask(size: number, feather = 0.12): SquareMask {
  assertNumberInRange('feather', feather, 0, 0.5);
  const data = new Float32Array(size * size);
  // Distances within the rim from its inner edge, in rims: 0 inside, 1 at the border of the square.
  const depth = (i: number) =>
    Math.max(0, 1 - Math.min(i + 0.5, size - i - 0.5) / size / Math.max(feather, 1e-9));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const t = Math.max(0, 1 - Math.hypot(depth(x), depth(y)));
      data[y * size + x] = t * t * (3 - 2 * t);
    }
  }
  return { data, size };
}

/** Options of {@link PasteBack}. */
export interface PasteBackOptions {
  /** The whole picture; kept, not changed. */
  readonly full: RgbImage;
  /** Pixels of a side of the crops. */
  readonly cropSize: number;
  /** Where the crops were cut from. */
  readonly box: SquareBox;
  /** Of any size, stretched to the box. @defaultValue {@link featheredMask} of the crop's size */
  readonly mask?: SquareMask;
  /** @defaultValue 'bicubic' */
  readonly filter?: ResampleFilter;
}

/** Pastes the crops of a clip: positions, weights and the mask are worked out once. */
export class PasteBack {
  readonly #full: RgbImage;
  /** The pixels of the picture that the box touches. */
  readonly #left: number;
  readonly #top: number;
  readonly #width: number;
  readonly #height: number;
  readonly #resampler: Resampler | undefined;
  readonly #mask: Float32Array;

  /** @throws {@link InvalidOptionError} if the box is not a square of finite numbers. */
  constructor(options: PasteBackOptions) {
    const { full, cropSize, box, mask = featheredMask(cropSize), filter = 'bicubic' } = options;
    assertSquareBox(box);
    this.#full = full;
    this.#left = Math.min(Math.max(Math.floor(box.x), 0), full.width);
    this.#top = Math.min(Math.max(Math.floor(box.y), 0), full.height);
    this.#width = Math.max(0, Math.min(Math.ceil(box.x + box.size), full.width) - this.#left);
    this.#height = Math.max(0, Math.min(Math.ceil(box.y + box.size), full.height) - this.#top);
    this.#mask = stretchMask(mask, box, this.#left, this.#top, this.#width, this.#height);
    if (this.#width === 0 || this.#height === 0) return;
    const scale = cropSize / box.size;
    this.#resampler = new Resampler({
      sourceWidth: cropSize,
      sourceHeight: cropSize,
      targetWidth: this.#width,
      targetHeight: this.#height,
      box: {
        x: (this.#left - box.x) * scale,
        y: (this.#top - box.y) * scale,
        width: this.#width * scale,
        height: this.#height * scale,
      },
      filter,
    });
  }

  /**
   * The whole picture with `crop` in its place. Pixels where the mask is 0 are exactly those of the picture.
   *
   * @param reuse - an earlier result of this object to overwrite, which spares copying the picture around the crop.
   * @throws {@link ShapeError} if `crop` has another size than announced, or `reuse` another than the picture.
   */
  apply(crop: RgbImage, reuse?: RgbImage): RgbImage {
    const { data: source, width, height } = this.#full;
    if (reuse && (reuse.width !== width || reuse.height !== height || reuse.data.length !== source.length)) {
      throw new ShapeError(
        `Cannot reuse picture: expected ${width}×${height}, got ${reuse.width}×${reuse.height}`,
      );
    }
    const result = reuse ?? { data: Uint8Array.from(source), width, height };
    const patch = this.#resampler?.apply(crop).data;
    if (patch) this.#blend(patch, result.data);
    return result;
  }

  #blend(patch: Uint8Array, target: Uint8Array): void {
    const { data: source, width } = this.#full;
    for (let y = 0, i = 0; y < this.#height; y++) {
      let pixel = ((this.#top + y) * width + this.#left) * 3;
      for (let x = 0; x < this.#width; x++, i++) {
        const opacity = this.#mask[i]!;
        if (opacity === 0) {
          pixel += 3;
          continue;
        }
        for (let c = i * 3; c < i * 3 + 3; c++, pixel++) {
          const below = source[pixel]!;
          target[pixel] = below + opacity * (patch[c]! - below) + 0.5;
        }
      }
    }
  }
}

/** The mask at the centres of the picture's pixels, bilinear; 0 at centres outside the box. */
function stretchMask(
  mask: SquareMask,
  box: SquareBox,
  left: number,
  top: number,
  width: number,
  height: number,
): Float32Array {
  const result = new Float32Array(width * height);
  const last = mask.size - 1;
  const scale = mask.size / box.size;
  const locate = (position: number) => {
    const at = position * scale;
    if (at < 0 || at > mask.size) return undefined;
    const first = Math.min(Math.max(at - 0.5, 0), last);
    const index = Math.min(Math.floor(first), Math.max(last - 1, 0));
    return { index, next: Math.min(index + 1, last), fraction: first - index };
  };
  for (let y = 0; y < height; y++) {
    const row = locate(top + y + 0.5 - box.y);
    if (!row) continue;
    for (let x = 0; x < width; x++) {
      const column = locate(left + x + 0.5 - box.x);
      if (!column) continue;
      const at = (r: number, c: number) => mask.data[r * mask.size + c]!;
      const upper =
        at(row.index, column.index) * (1 - column.fraction) + at(row.index, column.next) * column.fraction;
      const lower =
        at(row.next, column.index) * (1 - column.fraction) + at(row.next, column.next) * column.fraction;
      result[y * width + x] = upper * (1 - row.fraction) + lower * row.fraction;
    }
  }
  return result;
}
