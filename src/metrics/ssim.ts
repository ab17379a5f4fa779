/**
 * Structural similarity of two pictures' luma, at one scale and at five.
 *
 * Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity" (`ssim_index.m`);
 * Wang, Simoncelli and Bovik 2003, "Multi-scale structural similarity for image quality assessment" (`msssim.m`).
 */
import { ShapeError } from '../errors.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { assertSameSize, lumaOf, type Plane } from './picture.ts';

const WINDOW = 11;
const SIGMA = 1.5;
const DYNAMIC_RANGE = 255;
const C1 = (0.01 * DYNAMIC_RANGE) ** 2;
const C2 = (0.03 * DYNAMIC_RANGE) ** 2;
/** Exponents of the five scales, the finest first. */
const SCALE_WEIGHTS: readonly number[] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/** Shortest side with a window at the coarsest of the five scales. */
export const MS_SSIM_MIN_SIDE: number = WINDOW * 2 ** (SCALE_WEIGHTS.length - 1);

const KERNEL: Float64Array = (() => {
  const radius = (WINDOW - 1) / 2;
  const raw = Float64Array.from({ length: WINDOW }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * SIGMA ** 2)),
  );
  const total = raw.reduce((sum, value) => sum + value, 0);
  return raw.map((value) => value / total);
})();

/** Means over the Gaussian window wherever it lies wholly inside: both sides shrink by 10. */
function windowMeans(data: Float64Array, width: number, height: number): Float64Array {
  const innerWidth = width - WINDOW + 1;
  const innerHeight = height - WINDOW + 1;
  const rows = new Float64Array(innerWidth * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < innerWidth; x++) {
      const from = y * width + x;
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += KERNEL[k]! * data[from + k]!;
      rows[y * innerWidth + x] = sum;
    }
  }
  const means = new Float64Array(innerWidth * innerHeight);
  for (let k = 0; k < WINDOW; k++) {
    const weight = KERNEL[k]!;
    const from = k * innerWidth;
    for (let i = 0; i < means.length; i++) means[i]! += weight * rows[from + i]!;
  }
  return means;
}

function products(a: Plane, b: Plane): Float64Array {
  const out = new Float64Array(a.data.length);
  for (let i = 0; i < out.length; i++) out[i] = a.data[i]! * b.data[i]!;
  return out;
}

/** Means over all windows of one scale. */
interface ScaleSimilarity {
  /** Luminance, contrast and structure. */
  readonly whole: number;
  /** Contrast and structure. */
  readonly structure: number;
}

function compareScale(a: Plane, b: Plane): ScaleSimilarity {
  const { width, height } = a;
  const meanA = windowMeans(Float64Array.from(a.data), width, height);
  const meanB = windowMeans(Float64Array.from(b.data), width, height);
  const squareA = windowMeans(products(a, a), width, height);
  const squareB = windowMeans(products(b, b), width, height);
  const both = windowMeans(products(a, b), width, height);
  let [whole, structure] = [0, 0];
  for (let i = 0; i < meanA.length; i++) {
    const muA = meanA[i]!;
    const muB = meanB[i]!;
    const varianceA = squareA[i]! - muA * muA;
    const varianceB = squareB[i]! - muB * muB;
    const covariance = both[i]! - muA * muB;
    const cs = (2 * covariance + C2) / (varianceA + varianceB + C2);
    structure += cs;
    whole += (cs * (2 * muA * muB + C1)) / (muA * muA + muB * muB + C1);
  }
  return { whole: whole / meanA.length, structure: structure / meanA.length };
}

/** Half the size, each sample the mean of four; an odd last row or column is repeated, as `msssim.m` does. */
function halve({ data, width, height }: Plane): Plane {
  const halfWidth = (width + 1) >> 1;
  const halfHeight = (height + 1) >> 1;
  const half = new Float32Array(halfWidth * halfHeight);
  for (let y = 0; y < halfHeight; y++) {
    const upper = 2 * y * width;
    const lower = Math.min(height - 1, 2 * y + 1) * width;
    for (let x = 0; x < halfWidth; x++) {
      const left = 2 * x;
      const right = Math.min(width - 1, left + 1);
      half[y * halfWidth + x] =
        (data[upper + left]! + data[upper + right]! + data[lower + left]! + data[lower + right]!) / 4;
    }
  }
  return { data: half, width: halfWidth, height: halfHeight };
}

/** What {@link structuralSimilarity} returns; both are 1 for equal pictures. */
interface StructuralSimilarity {
  /** −1 to 1. */
  readonly ssim: number;
  /** 0 to 1; undefined where a side is shorter than {@link MS_SSIM_MIN_SIDE}. */
  readonly msSsim: number | undefined;
}

/**
 * SSIM and MS-SSIM of BT.601 luma: Gaussian window of 11×11 with σ 1.5, K₁ 0.01, K₂ 0.03, only where the window lies
 * wholly inside the picture; five scales with the published weights. A scale whose contrast and structure are anticorrelated
 * counts as 0. Pictures too small for five scales have no MS-SSIM: with fewer scales it would be another measure.
 *
 * @throws {@link ShapeError} if the sizes differ, or a side is shorter than the window.
 * @example
 * structuralSimilarity(picture, picture); // { ssim: 1, msSsim: 1 }
 */
export function structuralSimilarity(a: RgbImage, b: RgbImage): StructuralSimilarity {
  assertSameSize(a, b);
  if (Math.min(a.width, a.height) < WINDOW) {
    throw new ShapeError(
      `Cannot compare pictures: expected at least ${WINDOW}×${WINDOW} pixels, got ${a.width}×${a.height}`,
    );
  }
  let [planeA, planeB] = [lumaOf(a), lumaOf(b)];
  const finest = compareScale(planeA, planeB);
  if (Math.min(a.width, a.height) < MS_SSIM_MIN_SIDE) return { ssim: finest.whole, msSsim: undefined };
  let msSsim = 1;
  for (const [scale, weight] of SCALE_WEIGHTS.entries()) {
    if (scale > 0) [planeA, planeB] = [halve(planeA), halve(planeB)];
    const { whole, structure } = scale === 0 ? finest : compareScale(planeA, planeB);
    msSsim *= Math.max(0, scale === SCALE_WEIGHTS.length - 1 ? whole : structure) ** weight;
  }
  return { ssim: finest.whole, msSsim };
}
