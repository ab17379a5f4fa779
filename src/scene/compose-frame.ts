/**
 * Puts a frame together: the portrait warped at the viewer's size, what the networks change in it, and the photo
 * around. The networks' part is enlarged, the photo's own texture is not: skin and hair keep their sharpness.
 */

import type { Square } from '../face/crop.ts';
import { boxOfMask, type CellMask } from '../face/face-mask.ts';
import type { SoftMask } from '../face/lower-face-mask.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { PixelBox } from '../models/frame-conditions.ts';
import { type PlacedPicture, pixelKernels } from '../pixels/pixel-kernels.ts';
import { pictureOfSize } from './picture-of-size.ts';

/** Share of the square's side, at each edge, over which changes fade out so that no seam can show. */
const FADE = 0.06;

/** Bytes that the kernels may read behind a row of floats; four times as many they write behind one of pixels. */
const SPARE = 12;

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
  /** Memory of a frame that this composer has made, if it is not needed any more. */
  readonly memory?: Uint8Array | undefined;
  /** Whether nothing else changes the frame afterwards. @defaultValue false */
  readonly rests?: boolean | undefined;
}

/**
 * Pixels of a difference of side `resolution` that {@link FrameComposer.compose} reads, whatever the size of its frames: a mask fades
 * out over half a cell beyond its box, and a pixel is mixed of two.
 */
export function readBy(mask: CellMask, resolution: number): PixelBox {
  const cell = resolution / mask.cells;
  const { left, right, top, bottom } = boxOfMask(mask);
  const first = (index: number): number => Math.max(0, Math.floor((index - 0.5) * cell - 0.5));
  const end = (index: number): number => Math.min(resolution, Math.floor((index + 1.5) * cell - 0.5) + 2);
  return { left: first(left), top: first(top), right: end(right), bottom: end(bottom) };
}

/** Composes frames of one clip. */
export class FrameComposer {
  readonly #resolution: number;
  readonly #displaySize: number;
  readonly #axis: Axis;
  readonly #maskAxes = new Map<number, Axis>();
  /** What all frames show around the square so far; null where that is not one picture. */
  #around: Pick<Surroundings, 'picture' | 'square'> | null | undefined;
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
   * @param base - the warped portrait, as `AnimatedPortrait.drawBase` or `renderBase` draws it; what the kernels have of it is changed.
   * @param difference - [3, S, S], picture minus warped portrait, in units of [−1, 1].
   * @param mask - where the difference counts; elsewhere the warped portrait stands.
   * @param around - what the square is pasted into; without it, the square is the frame.
   */
  compose(
    base: RgbImage | PlacedPicture,
    difference: Float32Array,
    mask: CellMask,
    around?: Surroundings,
  ): RgbImage {
    const square = this.#addDifference('place' in base ? base : placed(base), difference, mask);
    if (around === undefined) return { ...square, data: square.data.slice() };
    const frame = this.#begin(around);
    if (around.changed === undefined) this.#paste(frame, square, around.square);
    else blend(frame, square, around.square, around.changed);
    return frame;
  }

  /** A frame that shows the picture as it is. */
  untouched(picture: RgbImage): RgbImage {
    this.#around = null;
    return pictureOfSize(picture, this.width, this.height);
  }

  /** A frame that shows the picture, but for the square: in memory of another one that did, there is nothing to copy. */
  #begin({ picture, square, changed, memory, rests = false }: Surroundings): RgbImage {
    const { width, height } = this;
    if (!rests || changed !== undefined) this.#around = null;
    if (this.#around === undefined) this.#around = { picture, square };
    const before = this.#around;
    if (before !== null && (before.picture !== picture || !isSameSquare(before.square, square))) {
      this.#around = null;
    }
    const fitting = memory?.length === 3 * width * height ? memory : undefined;
    if (fitting !== undefined && this.#around !== null) return { data: fitting, width, height };
    return pictureOfSize(picture, width, height, fitting);
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

  /** @returns the square with the difference, in the kernels' memory. */
  #addDifference(base: PlacedPicture, difference: Float32Array, mask: CellMask): RgbImage {
    const { place, width, height } = base;
    const size = this.#resolution;
    const { cells } = mask;
    const axis = this.#axis;
    const across = this.#maskAxis(cells);
    const box = boxOfMask(mask);
    // A pixel between a cell of the box and one outside is still changed.
    const first = (limit: number): number => across.high.findIndex((cell) => cell >= limit);
    const last = (limit: number): number => across.low.findLastIndex((cell) => cell <= limit);
    const [left, right] = [first(box.left), last(box.right)];
    const [top, bottom] = [first(box.top), last(box.bottom)];
    const count = left < 0 || top < 0 ? 0 : Math.max(0, right - left + 1);

    const kernels = pixelKernels();
    const end = place + 3 * width * height;
    const floats = 4 * count;
    const cellRows = across.high[bottom]! - across.low[top]! + 1;
    const [planes, row, maskAt, enlarged, strengths, ...tables] = kernels.layOutBehind(end, [
      ...[4 * difference.length + SPARE, 16 * size + 4 * SPARE, 4 * mask.data.length],
      ...[floats * (cellRows || 0) + SPARE, floats + SPARE],
      ...[floats, floats, floats, floats, floats, floats, floats + SPARE],
    ] as const);
    const [low, high, fraction, maskLow, maskHigh, maskFraction, fade] = tables;
    kernels.floats(planes, difference.length).set(difference);
    kernels.floats(maskAt, mask.data.length).set(mask.data);
    const part = <T extends Int32Array | Float32Array>(table: T): T =>
      table.subarray(left, left + count) as T;
    kernels.integers(low, count).set(part(axis.low));
    kernels.integers(high, count).set(part(axis.high));
    kernels.floats(fraction, count).set(part(axis.fraction));
    kernels.integers(maskLow, count).set(part(across.low));
    kernels.integers(maskHigh, count).set(part(across.high));
    kernels.floats(maskFraction, count).set(part(across.fraction));
    kernels.floats(fade, count).set(part(axis.fade));
    for (let i = 0; i < cellRows; i++) {
      const cellsAt = maskAt + 4 * cells * (across.low[top]! + i);
      kernels.run.enlargeRow(enlarged + floats * i, count, cellsAt, maskLow, maskHigh, maskFraction);
    }

    // Of the difference's rows, what the pixels between `left` and `right` read.
    const [from, to] = [axis.low[left] ?? 0, axis.high[right] ?? 0];
    for (let y = top; count > 0 && y <= bottom; y++) {
      const cellRow = (cell: number): number => enlarged + floats * (cell - across.low[top]!);
      const [maskUpper, maskLower] = [cellRow(across.low[y]!), cellRow(across.high[y]!)];
      const scale = axis.fade[y]! * 127.5;
      kernels.run.mixStrengths(strengths, count, maskUpper, maskLower, across.fraction[y]!, fade, scale);
      const differenceRow = (index: number): number => planes + 4 * (size * index + from);
      const [upper, lower] = [differenceRow(axis.low[y]!), differenceRow(axis.high[y]!)];
      kernels.run.mixRows(row + 16 * from, upper, lower, axis.fraction[y]!, 4 * size * size, to - from + 1);
      const pixels = place + 3 * (y * width + left);
      kernels.run.addRow(pixels, count, row, low, high, fraction, strengths);
    }
    return { data: kernels.bytes(place, 3 * width * height), width, height };
  }
}

/** Puts a picture into the kernels' memory. */
function placed({ data, width, height }: RgbImage): PlacedPicture {
  const kernels = pixelKernels();
  const [at] = kernels.layOut([data.length]);
  kernels.bytes(at, data.length).set(data);
  return { place: at, width, height };
}

function isSameSquare(a: Square, b: Square): boolean {
  return a.x === b.x && a.y === b.y && a.side === b.side;
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
