/**
 * Puts a frame together: the portrait warped at the viewer's size, what the networks change in it, and the photo
 * around. The networks' part is enlarged, the photo's own texture is not: skin and hair keep their sharpness.
 */
import type { CellMask } from '../face/face-mask.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { AnimatedPortrait } from './portrait.ts';

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

/** Composes frames of one clip; the result of `framing` `crop` is the square itself. */
export class FrameComposer {
  readonly #portrait: AnimatedPortrait;
  readonly #pasteBack: boolean;
  readonly #axis: Axis;
  readonly #maskAxes = new Map<number, Axis>();
  readonly width: number;
  readonly height: number;

  /** @param pasteBack - whether frames show the whole picture; its odd last row or column is left out. */
  constructor(portrait: AnimatedPortrait, pasteBack: boolean) {
    this.#portrait = portrait;
    this.#pasteBack = pasteBack;
    this.#axis = enlarge(portrait.resolution, portrait.displaySize);
    // H.264 with subsampled colours has even sizes only.
    this.width = pasteBack ? portrait.image.width & ~1 : portrait.displaySize;
    this.height = pasteBack ? portrait.image.height & ~1 : portrait.displaySize;
  }

  /**
   * @param base - the warped portrait, as `AnimatedPortrait.renderBase` draws it; changed and returned when cropping.
   * @param difference - [3, S, S], picture minus warped portrait, in units of [−1, 1].
   * @param mask - where the difference counts; elsewhere the warped portrait stands.
   */
  compose(base: RgbImage, difference: Float32Array, mask: CellMask): RgbImage {
    this.#addDifference(base, difference, mask);
    if (!this.#pasteBack) return base;
    const { image, square } = this.#portrait;
    const { width, height } = this;
    const data = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++) {
      data.set(image.data.subarray(y * image.width * 3, (y * image.width + width) * 3), y * width * 3);
    }
    const left = Math.max(0, square.x);
    const right = Math.min(width, square.x + square.side);
    for (let y = Math.max(0, square.y); y < Math.min(height, square.y + square.side); y++) {
      const from = ((y - square.y) * square.side + left - square.x) * 3;
      data.set(base.data.subarray(from, from + (right - left) * 3), (y * width + left) * 3);
    }
    return { data, width, height };
  }

  #maskAxis(cells: number): Axis {
    let axis = this.#maskAxes.get(cells);
    if (axis === undefined) {
      axis = enlarge(cells, this.#portrait.displaySize);
      this.#maskAxes.set(cells, axis);
    }
    return axis;
  }

  #addDifference({ data, width }: RgbImage, difference: Float32Array, mask: CellMask): void {
    const size = this.#portrait.resolution;
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
