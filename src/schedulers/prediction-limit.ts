/**
 * Keeps predicted clean samples in range: for models that work on pixels; latents are left alone.
 *
 * Source: Saharia et al. 2022, arXiv:2205.11487, section 2.3 (dynamic thresholding); `_threshold_sample` of diffusers.
 */

/** How x̂₀ is limited: clamped to ±`clip`, or by each sample's own quantile. */
export type PredictionLimit =
  | { readonly clip: number }
  | {
      /** Quantile of |x̂₀| within a sample that becomes 1, in (0, 1]. */
      readonly dynamicThreshold: number;
      /** Largest value that the quantile may have. @defaultValue 1 */
      readonly maxValue?: number;
    };

/** Limits x̂₀ of `batch` samples in place. */
export function limitPrediction(predicted: Float64Array, batch: number, limit: PredictionLimit): void {
  if ('clip' in limit) {
    clamp(predicted, limit.clip, 1);
    return;
  }
  const size = predicted.length / batch;
  for (let item = 0; item < batch; item++) {
    const sample = predicted.subarray(item * size, (item + 1) * size);
    const quantile = absoluteQuantile(sample, limit.dynamicThreshold);
    const threshold = Math.min(Math.max(quantile, 1), limit.maxValue ?? 1);
    clamp(sample, threshold, threshold);
  }
}

function clamp(values: Float64Array, bound: number, divisor: number): void {
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.min(Math.max(values[i]!, -bound), bound) / divisor;
  }
}

/** Quantile of |values|, linear between order statistics. */
function absoluteQuantile(values: Float64Array, ratio: number): number {
  const sorted = values.map(Math.abs).sort();
  const position = (sorted.length - 1) * ratio;
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (position - below);
}
