/**
 * The contract of all samplers, and the one loop that carries out their steps.
 *
 * Without limits on x̂₀ every sampler's step is a linear combination of what it is given, so a sampler only computes
 * coefficients, in double precision; {@link takeStep} applies them, and rounds once to float32.
 */
import { assertIntegerInRange, InvalidOptionError } from '../errors.ts';
import { assertDims, type Tensor } from '../tensor/tensor.ts';
import { limitPrediction, type PredictionLimit } from './prediction-limit.ts';

/** What the denoiser predicts. */
export type PredictionType = 'epsilon' | 'sample' | 'v_prediction';

/** Weights of a linear combination of `latents` and `modelOutput`. */
export interface PairWeights {
  readonly latents: number;
  readonly modelOutput: number;
}

/** One step of a sampler as numbers; x̂₀ stands for the predicted clean latents. */
export interface StepCoefficients {
  /** x̂₀ = latents · this.latents + modelOutput · this.modelOutput, before any limit. */
  readonly predicted: PairWeights;
  /** `denoised` as a combination of latents and x̂₀. */
  readonly denoised: { readonly latents: number; readonly predicted: number };
  /** `prevLatents`; `history[i]` weighs what the step i + 1 steps ago handed on. */
  readonly previous: PairWeights & {
    readonly predicted: number;
    readonly noise: number;
    readonly history: readonly number[];
  };
  /** What is handed on to later steps: x̂₀, or a combination of latents and modelOutput. */
  readonly remembered?: 'predicted' | PairWeights;
}

/** What a step is given; all tensors have the shape of `latents`. */
export interface StepInput {
  /** Counts from 0. */
  readonly stepIndex: number;
  readonly latents: Tensor;
  /** The denoiser's prediction from `latents` times {@link Scheduler.inputScale}. */
  readonly modelOutput: Tensor;
  /** From N(0, 1); needed where {@link Scheduler.needsNoise} says so. */
  readonly noise?: Tensor;
  /** `history` of the previous step's output; nothing on the first. */
  readonly history?: readonly Tensor[];
}

/** What a step returns, in new tensors. */
export interface StepOutput {
  /** The predicted clean latents. */
  readonly denoised: Tensor;
  /** The `latents` of the next step, or the result after the last. */
  readonly prevLatents: Tensor;
  /** To be handed to the next step; empty for samplers that look at one step only. */
  readonly history: readonly Tensor[];
}

/** A sampler without state between steps: the caller owns the loop, the noise and the history. */
export interface Scheduler {
  /** Training timesteps to visit, noisiest first; fractional for Euler. */
  readonly timesteps: readonly number[];
  readonly predictionType: PredictionType;
  /** What N(0, 1) is multiplied with to make the first `latents`. */
  readonly initNoiseSigma: number;
  /** Whether `step` reads `noise` at this step. */
  needsNoise(stepIndex: number): boolean;
  /** What `latents` are multiplied with before the denoiser sees them. */
  inputScale(stepIndex: number): number;
  /** The numbers behind `step`. */
  coefficients(stepIndex: number): StepCoefficients;
  /**
   * Denoises `latents` by one step. Pure: returns new tensors, leaves its inputs as they are.
   *
   * @throws {@link ShapeError} if the shapes differ.
   * @throws {@link InvalidOptionError} if `stepIndex` is not an index of `timesteps`, or `noise` or `history` that the
   *   step needs is missing.
   */
  step(input: StepInput): StepOutput;
}

/**
 * Applies a sampler's coefficients; samplers call this in `step`.
 *
 * @param limit - limits x̂₀ before it is used.
 */
export function takeStep(scheduler: Scheduler, input: StepInput, limit?: PredictionLimit): StepOutput {
  const { stepIndex, latents, modelOutput, noise, history = [] } = input;
  assertIntegerInRange('stepIndex', stepIndex, 0, scheduler.timesteps.length - 1);
  assertDims('modelOutput', modelOutput, latents.dims);
  const { predicted, denoised, previous, remembered } = scheduler.coefficients(stepIndex);
  const usesNoise = previous.noise !== 0;
  if (usesNoise && noise === undefined) throw missingInput('noise', stepIndex);
  if (usesNoise && noise !== undefined) assertDims('noise', noise, latents.dims);
  if (history.length < previous.history.length) throw missingInput('history', stepIndex);
  for (const past of history) assertDims('history', past, latents.dims);

  const { dims } = latents;
  const x = latents.data;
  const m = modelOutput.data;
  const z = usesNoise ? noise?.data : undefined;
  // Predictions that are limited are needed all at once; others are made where they are used.
  const limited = limit && limitedPrediction(predicted, x, m, dims[0] ?? 1, limit);

  const denoisedData = new Float32Array(x.length);
  const prevData = new Float32Array(x.length);
  const newest = remembered === undefined ? undefined : new Float32Array(x.length);
  // Weights as variables: as fields they would be read anew for every element.
  const { latents: predictedX, modelOutput: predictedM } = predicted;
  const { latents: denoisedX, predicted: denoisedX0 } = denoised;
  const {
    latents: prevX,
    modelOutput: prevM,
    predicted: prevX0,
    noise: prevZ,
    history: prevHistory,
  } = previous;
  const { latents: newX, modelOutput: newM } = typeof remembered === 'object' ? remembered : NOTHING;
  const past = prevHistory.map((_, h) => history[h]!.data);
  for (let i = 0; i < x.length; i++) {
    const xi = x[i]!;
    const mi = m[i]!;
    // x̂₀ stays in double precision: near t = 999 its weight in the next latents is large.
    const x0 = limited === undefined ? predictedX * xi + predictedM * mi : limited[i]!;
    denoisedData[i] = denoisedX * xi + denoisedX0 * x0;
    let value = prevX * xi + prevM * mi + prevX0 * x0;
    if (z !== undefined) value += prevZ * z[i]!;
    for (let h = 0; h < past.length; h++) value += prevHistory[h]! * past[h]![i]!;
    prevData[i] = value;
    if (newest !== undefined) newest[i] = remembered === 'predicted' ? x0 : newX * xi + newM * mi;
  }
  return {
    denoised: { data: denoisedData, dims },
    prevLatents: { data: prevData, dims },
    history: newest === undefined ? [] : [{ data: newest, dims }, ...history.slice(0, MAX_HISTORY - 1)],
  };
}

const NOTHING: PairWeights = { latents: 0, modelOutput: 0 };

/** A third-order solver looks two steps back. */
const MAX_HISTORY = 2;

function limitedPrediction(
  { latents, modelOutput }: PairWeights,
  x: Float32Array,
  m: Float32Array,
  batch: number,
  limit: PredictionLimit,
): Float64Array {
  const x0 = new Float64Array(x.length);
  for (let i = 0; i < x0.length; i++) x0[i] = latents * x[i]! + modelOutput * m[i]!;
  limitPrediction(x0, batch, limit);
  return x0;
}

function missingInput(name: string, stepIndex: number): InvalidOptionError {
  return new InvalidOptionError(
    `Cannot take step ${stepIndex}: expected ${name}, which this sampler uses here, got none`,
    name,
    undefined,
  );
}
