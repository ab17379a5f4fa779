/**
 * Lets the edges of a soft mask follow those of a picture.
 *
 * Source: He, Sun, Tang 2013, "Guided image filtering", eq. 5, 6 and 8, with one channel as the guide.
 */
import { boxMean } from './box-filter.ts';

/** Options of {@link guidedFilter}. */
interface GuidedFilterOptions {
  readonly width: number;
  readonly height: number;
  /** Pixels over which mask and guide are compared. */
  readonly radius: number;
  /** Variance of the guide, in its own units squared, below which it has no edge. */
  readonly epsilon: number;
}

/**
 * @param mask - values of any range.
 * @param guide - a plane of the same size.
 * @returns a new plane.
 */
export function guidedFilter(
  mask: Float32Array,
  guide: Float32Array,
  { width, height, radius, epsilon }: GuidedFilterOptions,
): Float32Array {
  const mean = (plane: Float32Array): Float32Array => boxMean(plane, width, height, radius);
  const meanGuide = mean(guide);
  const meanMask = mean(mask);
  const product = mean(guide.map((value, i) => value * mask[i]!));
  const square = mean(guide.map((value) => value * value));
  const slope = new Float32Array(mask.length);
  const offset = new Float32Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    const covariance = product[i]! - meanGuide[i]! * meanMask[i]!;
    const variance = square[i]! - meanGuide[i]! ** 2;
    slope[i] = covariance / (variance + epsilon);
    offset[i] = meanMask[i]! - slope[i]! * meanGuide[i]!;
  }
  const meanSlope = mean(slope);
  const meanOffset = mean(offset);
  return guide.map((value, i) => meanSlope[i]! * value + meanOffset[i]!);
}
