/**
 * Resampling of pictures by separable filters whose support grows when the picture shrinks, so that nothing aliases.
 * Positions are continuous: the pixel with index i covers i … i+1 and has its centre at i + 0.5.
 *
 * Source: the coefficients are those of Pillow's `ImagingResample` (in floating point, where Pillow rounds to fixed point
 * between the passes); the cubic is Keys 1981 with a = −0.5; pixels beyond the edge repeat the edge.
 */
import { assertIntegerInRange, ShapeError } from '../errors.ts';
import type { RgbImage } from './rgb-image.ts';

/** Reconstruction filters: `area` averages, `bilinear` is soft, `bicubic` sharper, `lanczos` sharpest. */
export type ResampleFilter = 'area' | 'bilinear' | 'bicubic' | 'lanczos';

/** A rectangle in continuous pixels; it may reach beyond the picture. */
interface ImageBox {
  /** Left edge. */
  readonly x: number;
  /** Top edge. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Shape and reach of each filter. */
export const FILTERS: Readonly<Record<ResampleFilter, { radius: number; weight: (x: number) => number }>> = {
  area: { radius: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { radius: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { radius: 2, weight: cubic },
  lanczos: { radius: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function cubic(position: number): number {
  const x = Math.abs(position);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Taps that one step of the inner loops takes; two keep the loops short for bilinear and whole for the others. */
const TAP_GROUP = 2;

/** Weights of one axis: output `i` is the sum over `k < taps` of `weights[i · taps + k]` times input `indices[i · taps + k]`. */
interface AxisWeights {
  readonly taps: number;
  readonly indices: Int32Array;
  readonly weights: Float32Array;
}

function axisWeights(
  sourceSize: number,
  start: number,
  length: number,
  targetSize: number,
  filter: ResampleFilter,
): AxisWeights {
  const { radius, weight } = FILTERS[filter];
  const scale = length / targetSize;
  const stretch = Math.max(scale, 1);
  const taps = Math.ceil(radius * stretch) * 2 + 1;
  const indices = new Int32Array(targetSize * taps);
  const weights = new Float32Array(targetSize * taps);
  for (let i = 0; i < targetSize; i++) {
    const center = start + (i + 0.5) * scale;
    const first = Math.floor(center - radius * stretch);
    let total = 0;
    for (let k = 0; k < taps; k++) {
      const w = weight((first + k + 0.5 - center) / stretch);
      weights[i * taps + k] = w;
      total += w;
      // Beyond the edge the edge's pixel stands in.
      indices[i * taps + k] = Math.min(Math.max(first + k, 0), sourceSize - 1);
    }
    for (let k = 0; k < taps; k++) weights[i * taps + k]! /= total;
  }
  return trimTaps({ taps, indices, weights }, targetSize);
}

/**
 * Leaves out taps whose weights are 0 (most filters touch fewer pixels than they might) and fills up to a multiple of
 * {@link TAP_GROUP}.
 */
function trimTaps(axis: AxisWeights, targetSize: number): AxisWeights {
  let used = 0;
  for (let i = 0; i < targetSize; i++) {
    let count = 0;
    for (let k = 0; k < axis.taps; k++) if (axis.weights[i * axis.taps + k] !== 0) count++;
    used = Math.max(used, count);
  }
  const taps = Math.ceil(used / TAP_GROUP) * TAP_GROUP;
  const indices = new Int32Array(targetSize * taps);
  const weights = new Float32Array(targetSize * taps);
  for (let i = 0; i < targetSize; i++) {
    let target = i * taps;
    for (let k = 0; k < axis.taps; k++) {
      const w = axis.weights[i * axis.taps + k]!;
      if (w === 0) continue;
      indices[target] = axis.indices[i * axis.taps + k]!;
      weights[target++] = w;
    }
    // Fillers weigh nothing, and name a pixel that is needed anyway.
    indices.fill(indices[target - 1]!, target, (i + 1) * taps);
  }
  return { taps, indices, weights };
}

/** Sizes and filter of a {@link Resampler}. */
interface ResamplerOptions {
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  readonly targetWidth: number;
  readonly targetHeight: number;
  /** The part of the source that fills the target. @defaultValue all of it */
  readonly box?: ImageBox;
  /** @defaultValue 'bicubic' */
  readonly filter?: ResampleFilter;
}

/** Resamples many pictures of one size with weights that are computed once; keeps a scratch buffer. */
export class Resampler {
  readonly targetWidth: number;
  readonly targetHeight: number;
  readonly #sourceWidth: number;
  readonly #sourceHeight: number;
  readonly #columns: AxisWeights;
  readonly #rows: AxisWeights;
  /** Source rows that the target needs, resampled horizontally. */
  readonly #scratch: Float32Array;
  readonly #firstRow: number;
  readonly #lastRow: number;

  /** @throws {@link InvalidOptionError} unless sizes are whole numbers from 1 to 65535. */
  constructor(options: ResamplerOptions) {
    const { sourceWidth, sourceHeight, targetWidth, targetHeight, filter = 'bicubic' } = options;
    for (const [name, value] of Object.entries({ sourceWidth, sourceHeight, targetWidth, targetHeight })) {
      assertIntegerInRange(name, value, 1, 65535);
    }
    const box = options.box ?? { x: 0, y: 0, width: sourceWidth, height: sourceHeight };
    this.targetWidth = targetWidth;
    this.targetHeight = targetHeight;
    this.#sourceWidth = sourceWidth;
    this.#sourceHeight = sourceHeight;
    this.#columns = axisWeights(sourceWidth, box.x, box.width, targetWidth, filter);
    this.#rows = axisWeights(sourceHeight, box.y, box.height, targetHeight, filter);
    this.#firstRow = this.#rows.indices.reduce((a, b) => Math.min(a, b));
    this.#lastRow = this.#rows.indices.reduce((a, b) => Math.max(a, b));
    this.#scratch = new Float32Array((this.#lastRow - this.#firstRow + 1) * targetWidth * 3);
  }

  /**
   * @param source - a picture of the size that the resampler was made for.
   * @returns a new picture.
   * @throws {@link ShapeError} if the picture has another size.
   */
  apply(source: RgbImage): RgbImage {
    if (source.width !== this.#sourceWidth || source.height !== this.#sourceHeight) {
      throw new ShapeError(
        `Cannot resample picture: expected ${this.#sourceWidth}×${this.#sourceHeight}, got ${source.width}×${source.height}`,
      );
    }
    this.#resampleRows(source);
    // Typed arrays of this kind round to the nearest and clamp to 0 … 255 by themselves.
    const data = new Uint8ClampedArray(this.targetWidth * this.targetHeight * 3);
    this.#resampleColumns(data);
    return { data: new Uint8Array(data.buffer), width: this.targetWidth, height: this.targetHeight };
  }

  #resampleRows({ data, width }: RgbImage): void {
    const { taps, indices, weights } = this.#columns;
    const scratch = this.#scratch;
    let target = 0;
    for (let y = this.#firstRow; y <= this.#lastRow; y++) {
      const row = y * width;
      for (let tap = 0; tap < indices.length; target += 3) {
        let r = 0;
        let g = 0;
        let b = 0;
        for (let k = 0; k < taps; k += TAP_GROUP, tap += TAP_GROUP) {
          const w = weights[tap]!;
          const v = weights[tap + 1]!;
          const i = (row + indices[tap]!) * 3;
          const j = (row + indices[tap + 1]!) * 3;
          r += w * data[i]! + v * data[j]!;
          g += w * data[i + 1]! + v * data[j + 1]!;
          b += w * data[i + 2]! + v * data[j + 2]!;
        }
        scratch[target] = r;
        scratch[target + 1] = g;
        scratch[target + 2] = b;
      }
    }
  }

  #resampleColumns(data: Uint8ClampedArray): void {
    const { taps, indices, weights } = this.#rows;
    const scratch = this.#scratch;
    const stride = this.targetWidth * 3;
    const sums = new Float64Array(stride);
    for (let y = 0; y < this.targetHeight; y++) {
      for (let k = 0; k < taps; k += TAP_GROUP) {
        const tap = y * taps + k;
        const w = weights[tap]!;
        const v = weights[tap + 1]!;
        const upper = (indices[tap]! - this.#firstRow) * stride;
        const lower = (indices[tap + 1]! - this.#firstRow) * stride;
        if (k === 0) {
          for (let i = 0; i < stride; i++) sums[i] = w * scratch[upper + i]! + v * scratch[lower + i]!;
        } else {
          for (let i = 0; i < stride; i++) sums[i]! += w * scratch[upper + i]! + v * scratch[lower + i]!;
        }
      }
      const row = y * stride;
      for (let i = 0; i < stride; i++) data[row + i] = sums[i]!;
    }
  }
}

/**
 * One picture in another size.
 *
 * @throws {@link InvalidOptionError} unless width and height are whole numbers from 1 to 65535.
 */
export function resizeImage(
  image: RgbImage,
  width: number,
  height: number,
  filter: ResampleFilter = 'bicubic',
): RgbImage {
  const size = {
    sourceWidth: image.width,
    sourceHeight: image.height,
    targetWidth: width,
    targetHeight: height,
  };
  return new Resampler({ ...size, filter }).apply(image);
}
