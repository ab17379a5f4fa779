/**
 * Resizing to the byte as Pillow does it: weights in fixed point, and a picture of bytes between the two passes. Networks
 * that were given Pillow's pictures in training get the same here; {@link resizeImage} is for everything else.
 *
 * Source: `Resample.c` of Pillow 12 (`ImagingResample`, 8 bits per channel).
 */
import { assertIntegerInRange } from '../errors.ts';
import { FILTERS, type ResampleFilter } from './resize.ts';
import type { RgbImage } from './rgb-image.ts';

/** Bits behind the point of the weights: 32 of a sum, less 8 of a pixel and 2 of head room. */
const PRECISION_BITS = 32 - 8 - 2;
const COLOURS = 3;

/** Weights of one axis: output `i` is made of `counts[i]` inputs from `starts[i]` on. */
interface Weights {
  readonly taps: number;
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly values: Int32Array;
}

function axisWeights(from: number, to: number, filter: ResampleFilter): Weights {
  const { radius, weight } = FILTERS[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = radius * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const values = new Int32Array(to * taps);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const exact = Array.from({ length: end - start }, (_, k) => weight((k + start - center + 0.5) / stretch));
    const sum = exact.reduce((total, value) => total + value, 0);
    starts[i] = start;
    counts[i] = exact.length;
    exact.forEach((value, k) => {
      const fixed = (value / sum) * (1 << PRECISION_BITS);
      values[i * taps + k] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    });
  }
  return { taps, starts, counts, values };
}

/** Resamples `lines` lines of `length` pixels; the strides are in pixels, so that rows and columns are one function. */
function resampleAxis(
  source: Uint8Array,
  target: Uint8Array,
  weights: Weights,
  lines: { readonly count: number; readonly from: number; readonly to: number },
  steps: { readonly from: number; readonly to: number },
): void {
  const { taps, starts, counts, values } = weights;
  for (let line = 0; line < lines.count; line++) {
    for (let i = 0; i < starts.length; i++) {
      const out = (line * lines.to + i * steps.to) * COLOURS;
      for (let c = 0; c < COLOURS; c++) {
        // Half, so that the shift rounds.
        let sum = 1 << (PRECISION_BITS - 1);
        let at = (line * lines.from + starts[i]! * steps.from) * COLOURS + c;
        for (let k = 0; k < counts[i]!; k++) {
          sum += source[at]! * values[i * taps + k]!;
          at += steps.from * COLOURS;
        }
        target[out + c] = Math.min(255, Math.max(0, sum >> PRECISION_BITS));
      }
    }
  }
}

/**
 * One picture in another size, as `Image.resize` of Pillow gives it.
 *
 * @throws {@link InvalidOptionError} unless width and height are whole numbers from 1 to 65535.
 */
export function pillowResize(
  image: RgbImage,
  width: number,
  height: number,
  filter: ResampleFilter,
): RgbImage {
  assertIntegerInRange('width', width, 1, 65535);
  assertIntegerInRange('height', height, 1, 65535);
  let { data } = image;
  // A pass that would change nothing is left out, as in Pillow.
  if (width !== image.width) {
    const wide = new Uint8Array(image.height * width * COLOURS);
    const lines = { count: image.height, from: image.width, to: width };
    resampleAxis(data, wide, axisWeights(image.width, width, filter), lines, { from: 1, to: 1 });
    data = wide;
  }
  if (height !== image.height) {
    const high = new Uint8Array(height * width * COLOURS);
    const lines = { count: width, from: 1, to: 1 };
    resampleAxis(data, high, axisWeights(image.height, height, filter), lines, { from: width, to: width });
    data = high;
  }
  return { data: data === image.data ? data.slice() : data, width, height };
}
