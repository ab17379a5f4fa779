/**
 * Puts a frame together: the portrait warped at the viewer's size, what the networks change in it, and the photo
 * around. The networks' part is enlarged, the photo's own texture is not: skin and hair keep their sharpness.
 */

import type { Square } from '../face/crop.ts';
import type { CellMask } from '../face/face-mask.ts';
import type { SoftMask } from '../face/lower-face-mask.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { pictureOfSize } from './picture-of-size.ts';

/** Share of the square's side, at each edge, over which changes fade out so that no seam can show. */
const FADE = 0.06;

/** Positions and weights that enlarge one axis bilinearly, with the fade at its ends. */
interface Axis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly fraction: Float32Array;
  readonly fade: Float32Array;
}

function enlarge(from: number, to: number): Axis {
  const low = new Int32Array(to);
  const high = new Int32Array(to);
  const fraction = new Float32Array(to);
  const fade = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const position = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    low[i] = Math.floor(position);
    high[i] = Math.min(from - 1, low[i]! + 1);
    fraction[i] = position - low[i]!;
    const edge = Math.min(1, Math.min(i + 0.5, to - i - 0.5) / (FADE * to));
    fade[i] = edge * edge * (3 - 2 * edge);
  }
  return { low, high, fraction, fade };
}

/** Sizes in pixels of what {@link FrameComposer} puts together. */
interface ComposerSizes {
  /** Side of the square that the networks see. */
  readonly resolution: number;
  /** Side of the square in the frames. */
  readonly displaySize: number;
  /** Of the frames, even. */
  readonly width: number;
  readonly height: number;
}

/** Where a square belongs. */
export interface Surroundings {
  /** The whole picture, at least as large as the frames; what of it goes beyond them is left out. */
  readonly picture: RgbImage;
  readonly square: Square;
  /** The pixels that may change. @defaultValue all of the square */
  readonly changed?: SoftMask | undefined;
}

/** Composes frames of one clip. */
export class FrameComposer {
  readonly #resolution: number;
  readonly #displaySize: number;
  readonly #axis: Axis;
  readonly #maskAxes = new Map<number, Axis>();
  readonly width: number;
  readonly height: number;

  constructor({ resolution, displaySize, width, height }: ComposerSizes) {
    this.#resolution = resolution;
    this.#displaySize = displaySize;
    this.#axis = enlarge(resolution, displaySize);
    this.width = width;
    this.height = height;
  }

  /**
   * @param base - the warped portrait, as `AnimatedPortrait.renderBase` draws it; changed, and returned without `around`.
   * @param difference - [3, S, S], picture minus warped portrait, in units of [−1, 1].
   * @param mask - where the difference counts; elsewhere the warped portrait stands.
   * @param around - what the square is pasted into; without it, the square is the frame.
   */
  compose(base: RgbImage, difference: Float32Array, mask: CellMask, around?: Surroundings): RgbImage {
    this.#addDifference(base, difference, mask);
    if (around === undefined) return base;
    const { picture, square, changed } = around;
    const frame = this.untouched(picture);
    if (changed === undefined) this.#paste(frame, base, square);
    else blend(frame, base, square, changed);
    return frame;
  }

  /** A frame that shows the picture as it is. */
  untouched(picture: RgbImage): RgbImage {
    return pictureOfSize(picture, this.width, this.height);
  }

  #paste({ data, width, height }: RgbImage, base: RgbImage, square: Square): void {
    const left = Math.max(0, square.x);
    const right = Math.min(width, square.x + square.side);
    for (let y = Math.max(0, square.y); y < Math.min(height, square.y + square.side); y++) {
      const from = ((y - square.y) * square.side + left - square.x) * 3;
      data.set(base.data.subarray(from, from + (right - left) * 3), (y * width + left) * 3);
    }
  }

  #maskAxis(cells: number): Axis {
    let axis = this.#maskAxes.get(cells);
    if (axis === undefined) {
      axis = enlarge(cells, this.#displaySize);
      this.#maskAxes.set(cells, axis);
    }
    return axis;
  }

  #addDifference({ data, width }: RgbImage, difference: Float32Array, mask: CellMask): void {
    const size = this.#resolution;
    const { low, high, fraction, fade } = this.#axis;
    const pixels = size * size;
    const { cells } = mask;
    const across = this.#maskAxis(cells);
    const box = boxOf(mask);
    // A pixel between a cell of the box and one outside is still changed.
    const first = (limit: number): number => across.high.findIndex((cell) => cell >= limit);
    const last = (limit: number): number => across.low.findLastIndex((cell) => cell <= limit);
    const [left, right] = [first(box.left), last(box.right)];
    const bottomRow = last(box.bottom);
    for (let y = first(box.top); y <= bottomRow; y++) {
      const top = low[y]! * size;
      const bottom = high[y]! * size;
      const fy = fraction[y]!;
      const rowFade = fade[y]! * 127.5;
      const maskTop = across.low[y]! * cells;
      const maskBottom = across.high[y]! * cells;
      const maskY = across.fraction[y]!;
      for (let x = left; x <= right; x++) {
        const ml = across.low[x]!;
        const mh = across.high[x]!;
        const mx = across.fraction[x]!;
        const maskUpper = mask.data[maskTop + ml]! * (1 - mx) + mask.data[maskTop + mh]! * mx;
        const maskLower = mask.data[maskBottom + ml]! * (1 - mx) + mask.data[maskBottom + mh]! * mx;
        const strength = rowFade * fade[x]! * (maskUpper * (1 - maskY) + maskLower * maskY);
        if (strength === 0) continue;
        const fx = fraction[x]!;
        let a = top + low[x]!;
        let b = top + high[x]!;
        let c = bottom + low[x]!;
        let d = bottom + high[x]!;
        const at = (y * width + x) * 3;
        for (let channel = at; channel < at + 3; channel++) {
          const upper = difference[a]! + (difference[b]! - difference[a]!) * fx;
          const lower = difference[c]! + (difference[d]! - difference[c]!) * fx;
          const value = data[channel]! + (upper + (lower - upper) * fy) * strength;
          data[channel] = value <= 0 ? 0 : value >= 255 ? 255 : value + 0.5;
          a += pixels;
          b += pixels;
          c += pixels;
          d += pixels;
        }
      }
    }
  }
}

/** Mixes the square into the frame by the mask; pixels where it is zero keep their bytes. */
function blend({ data, width, height }: RgbImage, base: RgbImage, square: Square, mask: SoftMask): void {
  const left = Math.max(0, square.x, mask.left);
  const right = Math.min(width, square.x + square.side, mask.left + mask.width);
  const top = Math.max(0, square.y, mask.top);
  const bottom = Math.min(height, square.y + square.side, mask.top + mask.height);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const share = mask.data[(y - mask.top) * mask.width + x - mask.left]!;
      if (share === 0) continue;
      const from = ((y - square.y) * square.side + x - square.x) * 3;
      const to = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) {
        data[to + c] = Math.round(data[to + c]! + share * (base.data[from + c]! - data[to + c]!));
      }
    }
  }
}

/** The cells that are not zero lie in these columns and rows, both ends included. */
function boxOf({ cells, data }: CellMask): { left: number; right: number; top: number; bottom: number } {
  const box = { left: cells, right: -1, top: cells, bottom: -1 };
  for (let i = 0; i < data.length; i++) {
    if (data[i] === 0) continue;
    const [x, y] = [i % cells, Math.floor(i / cells)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}
