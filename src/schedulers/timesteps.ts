/**
 * Which training timesteps a run visits, noisiest first: exactly the lists of diffusers' schedulers, ties and rounding
 * in double precision included.
 *
 * Source: `set_timesteps` of DDIMScheduler, LCMScheduler, TCDScheduler, DPMSolverMultistepScheduler and
 * EulerDiscreteScheduler in diffusers; spacing names as in Lin et al. 2024, arXiv:2305.08891, table 2.
 */
import { assertIntegerInRange, assertNumberInRange, InvalidOptionError } from '../errors.ts';

/** How the timesteps are spread; only `trailing` always starts at the last training timestep. */
export type TimestepSpacing = 'leading' | 'trailing' | 'linspace';

/** Options of the spacings. */
export interface SpacingOptions {
  readonly numInferenceSteps: number;
  readonly numTrainTimesteps: number;
  readonly timestepSpacing: TimestepSpacing;
  /** Added to every timestep of `leading`; the other spacings ignore it. */
  readonly stepsOffset: number;
}

/** Rounds to the nearest integer, ties to the even one, as IEEE 754 and numpy do (`Math.round` rounds them up). */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction < 0.5) return floor;
  if (fraction > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Timesteps of DDIM.
 *
 * @throws {@link InvalidOptionError} unless `numInferenceSteps` is an integer from 1 to `numTrainTimesteps`.
 * @example
 * ddimTimesteps({ numInferenceSteps: 4, numTrainTimesteps: 1000, timestepSpacing: 'trailing', stepsOffset: 1 });
 * // [999, 749, 499, 249]
 */
export function ddimTimesteps(options: SpacingOptions): number[] {
  const { numInferenceSteps: n, numTrainTimesteps: total, timestepSpacing, stepsOffset } = options;
  assertSpacingOptions(options);
  switch (timestepSpacing) {
    case 'leading':
      return descending(n, (i) => i * Math.floor(total / n) + stepsOffset);
    case 'trailing':
      return trailingTimesteps(n, total);
    case 'linspace':
      return descending(n, (i) => roundHalfToEven(linspaceAt(i, total - 1, n - 1)));
  }
}

/**
 * Timesteps of DPM-Solver: `leading` and `linspace` divide the training time into one more part than there are steps.
 *
 * @throws {@link InvalidOptionError} unless `numInferenceSteps` is an integer from 1 to `numTrainTimesteps` − 1.
 */
export function dpmSolverTimesteps(options: SpacingOptions): number[] {
  const { numInferenceSteps: n, numTrainTimesteps: total, timestepSpacing, stepsOffset } = options;
  assertSpacingOptions(options);
  switch (timestepSpacing) {
    case 'leading':
      return descending(n, (i) => (i + 1) * Math.floor(total / (n + 1)) + stepsOffset);
    case 'trailing':
      return trailingTimesteps(n, total);
    case 'linspace':
      return descending(n, (i) => roundHalfToEven(linspaceAt(i + 1, total - 1, n)));
  }
}

/**
 * Timesteps of the Euler sampler; those of `linspace` are not rounded.
 *
 * @throws {@link InvalidOptionError} unless `numInferenceSteps` is an integer from 1 to `numTrainTimesteps`.
 */
export function eulerTimesteps(options: SpacingOptions): number[] {
  const { numInferenceSteps: n, numTrainTimesteps: total, timestepSpacing } = options;
  if (timestepSpacing !== 'linspace') return ddimTimesteps(options);
  assertSpacingOptions(options);
  return descending(n, (i) => linspaceAt(i, total - 1, n - 1));
}

/** Options of {@link lcmTimesteps}. */
interface LcmTimestepsOptions {
  readonly numInferenceSteps: number;
  readonly numTrainTimesteps: number;
  /** Steps of the schedule that the model was distilled on; inference picks from these. */
  readonly originalInferenceSteps: number;
  /** Part of the noise that the run starts with, in (0, 1]; below 1 for image to image. */
  readonly strength: number;
}

/**
 * Timesteps of LCM: evenly picked from the grid that the model was distilled on.
 *
 * @throws {@link InvalidOptionError} if the grid, shortened by `strength`, has fewer points than there are steps.
 */
export function lcmTimesteps(options: LcmTimestepsOptions): number[] {
  const { numInferenceSteps, numTrainTimesteps, originalInferenceSteps, strength } = options;
  assertIntegerInRange('originalInferenceSteps', originalInferenceSteps, 1, numTrainTimesteps);
  assertNumberInRange('strength', strength, 0, 1);
  const stride = Math.floor(numTrainTimesteps / originalInferenceSteps);
  const gridSize = Math.floor(originalInferenceSteps * strength);
  return pickFromGrid(numInferenceSteps, gridSize, stride);
}

/**
 * Timesteps evenly picked from all training timesteps, as TCD does for a given grid.
 *
 * @throws {@link InvalidOptionError} unless `numInferenceSteps` is an integer from 1 to `numTrainTimesteps`.
 */
export function evenTimesteps(numInferenceSteps: number, numTrainTimesteps: number): number[] {
  return pickFromGrid(numInferenceSteps, numTrainTimesteps, 1);
}

/**
 * Checks timesteps that the user gave, and drops the noisiest of them for a `strength` below 1.
 *
 * @throws {@link InvalidOptionError} unless they are strictly descending integers from 0 to `numTrainTimesteps` − 1,
 *   of which `strength` leaves at least one.
 */
export function customTimesteps(
  timesteps: readonly number[],
  { numTrainTimesteps, strength }: { readonly numTrainTimesteps: number; readonly strength: number },
): number[] {
  assertNumberInRange('strength', strength, 0, 1);
  timesteps.forEach((timestep, i) => {
    assertIntegerInRange('timesteps', timestep, 0, numTrainTimesteps - 1);
    if (i > 0 && timestep >= timesteps[i - 1]!) {
      throw new InvalidOptionError(
        `Cannot use timesteps: expected strictly descending values, got ${timesteps.join(', ')}`,
        'timesteps',
        timesteps,
      );
    }
  });
  const kept = Math.floor(timesteps.length * strength);
  if (kept < 1) {
    throw new InvalidOptionError(
      `Cannot use timesteps: expected at least one after strength ${strength}, got none of ${timesteps.length}`,
      'timesteps',
      timesteps,
    );
  }
  return timesteps.slice(timesteps.length - kept);
}

function assertSpacingOptions({ numInferenceSteps, numTrainTimesteps, stepsOffset }: SpacingOptions): void {
  assertIntegerInRange('numInferenceSteps', numInferenceSteps, 1, numTrainTimesteps - 1);
  assertIntegerInRange('stepsOffset', stepsOffset, 0, numTrainTimesteps - 1);
}

function descending(count: number, at: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, i) => at(count - 1 - i));
}

/** Element `i` of `intervals` + 1 values from 0 to `end`; multiplied in this order, as ties depend on it. */
function linspaceAt(i: number, end: number, intervals: number): number {
  if (intervals === 0) return 0;
  return i === intervals ? end : i * (end / intervals);
}

function trailingTimesteps(count: number, total: number): number[] {
  const ratio = total / count;
  // The doubly rounded step decides ties: total − i · ratio differs from it at 48, 96, 112 … steps.
  const delta = total - ratio - total;
  return Array.from({ length: count }, (_, i) => roundHalfToEven(total + i * delta) - 1);
}

/** Every `stride`-th timestep from `stride` − 1 on is the grid; `count` of its `size` points, the last one first. */
function pickFromGrid(count: number, size: number, stride: number): number[] {
  assertIntegerInRange('numInferenceSteps', count, 1, Math.max(size, 1));
  if (size < 1) {
    throw new InvalidOptionError(
      'Cannot use strength: expected it to leave at least one timestep, got none',
      'strength',
      size,
    );
  }
  return Array.from({ length: count }, (_, i) => (size - Math.floor(i * (size / count))) * stride - 1);
}
