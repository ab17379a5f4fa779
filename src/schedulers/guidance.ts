/**
 * Classifier-free guidance: steering by the difference between a prediction with and one without its condition.
 *
 * Source: Ho and Salimans 2022, arXiv:2207.12598; Lin et al. 2024, arXiv:2305.08891, equations 15 and 16 (rescale);
 * Luo et al. 2023, arXiv:2310.04378 (guidance as an input of the denoiser).
 */
import { assertIntegerInRange, assertNumberInRange } from '../errors.ts';
import { addScaled, assertDims, type Tensor } from '../tensor/tensor.ts';

/** Whether the scale asks for an unconditional prediction; 1 and less mean the conditional one alone. */
export function usesGuidance(guidanceScale: number): boolean {
  return guidanceScale > 1;
}

/**
 * `uncond + guidanceScale · (cond − uncond)`, as a new tensor; `cond` itself where guidance is off.
 *
 * @throws {@link ShapeError} if the shapes differ.
 */
export function applyGuidance(cond: Tensor, uncond: Tensor, guidanceScale: number): Tensor {
  if (!usesGuidance(guidanceScale)) return cond;
  return addScaled(guidanceScale, cond, 1 - guidanceScale, uncond);
}

/**
 * Brings a guided prediction towards the standard deviation of the conditional one, against over-exposure.
 *
 * @param rescale - 0 leaves `guided` as it is, 1 gives it the deviation of `cond`; about 0.7 for zero terminal SNR.
 * @throws {@link ShapeError} if the shapes differ.
 */
export function rescaleGuidance(guided: Tensor, cond: Tensor, rescale: number): Tensor {
  assertDims('cond', cond, guided.dims);
  assertNumberInRange('guidanceRescale', rescale, 0, 1);
  const batch = guided.dims[0] ?? 1;
  const size = guided.data.length / batch;
  const data = new Float32Array(guided.data.length);
  for (let item = 0; item < batch; item++) {
    const from = item * size;
    const guidedItem = guided.data.subarray(from, from + size);
    const ratio = standardDeviation(cond.data.subarray(from, from + size)) / standardDeviation(guidedItem);
    const factor = rescale * ratio + (1 - rescale);
    for (let i = 0; i < size; i++) data[from + i] = factor * guidedItem[i]!;
  }
  return { data, dims: guided.dims };
}

/**
 * The embedding through which a full latent consistency model takes its guidance scale as an input: sines, then cosines,
 * of 1000 · (guidanceScale − 1), and a 0 where `dim` is odd.
 *
 * @param dim - the denoiser's `time_cond_proj_dim`, 4 or more.
 */
export function guidanceEmbedding(guidanceScale: number, dim: number): Float64Array {
  assertIntegerInRange('dim', dim, 4, 65536);
  const half = Math.floor(dim / 2);
  const embedding = new Float64Array(dim);
  for (let j = 0; j < half; j++) {
    const angle = 1000 * (guidanceScale - 1) * Math.exp((-j * Math.log(10000)) / (half - 1));
    embedding[j] = Math.sin(angle);
    embedding[half + j] = Math.cos(angle);
  }
  return embedding;
}

function standardDeviation(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}
