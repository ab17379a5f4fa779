/**
 * Euler sampling: one straight step along the probability flow from noise level to noise level.
 *
 * Source: Karras et al. 2022, arXiv:2206.00364, algorithm 1 without second-order correction; `EulerDiscreteScheduler`
 * of diffusers. Latents are variance exploding: keep them in float32.
 */
import type { NoiseSchedule } from './noise-schedule.ts';
import {
  type PairWeights,
  type PredictionType,
  type Scheduler,
  type StepCoefficients,
  type StepInput,
  type StepOutput,
  takeStep,
} from './scheduler.ts';
import { karrasSigmas, sigmaAt, sigmaTable, timestepAt } from './sigmas.ts';
import { eulerTimesteps, type TimestepSpacing } from './timesteps.ts';

/** Options of {@link EulerScheduler}. */
interface EulerOptions {
  readonly numInferenceSteps: number;
  readonly noiseSchedule: NoiseSchedule;
  readonly predictionType: PredictionType;
  /** @defaultValue 'trailing' */
  readonly timestepSpacing?: TimestepSpacing;
  /** Added to the timesteps of `leading`. @defaultValue 0 */
  readonly stepsOffset?: number;
  /** Spaces the noise levels as Karras et al. do. @defaultValue false */
  readonly useKarrasSigmas?: boolean;
}

/** Deterministic first-order sampler, 15 to 25 steps. */
export class EulerScheduler implements Scheduler {
  readonly timesteps: readonly number[];
  readonly predictionType: PredictionType;
  readonly initNoiseSigma: number;
  /** Noise level of every step, and 0 at the end. */
  readonly sigmas: readonly number[];

  /** @throws {@link InvalidOptionError} if the steps are out of range. */
  constructor({
    numInferenceSteps,
    noiseSchedule,
    predictionType,
    timestepSpacing = 'trailing',
    stepsOffset = 0,
    useKarrasSigmas = false,
  }: EulerOptions) {
    const { numTrainTimesteps } = noiseSchedule;
    const table = sigmaTable(noiseSchedule);
    const timesteps = eulerTimesteps({ numInferenceSteps, numTrainTimesteps, timestepSpacing, stepsOffset });
    let sigmas = timesteps.map((timestep) => sigmaAt(table, timestep));
    if (useKarrasSigmas) sigmas = karrasSigmas(sigmas[0]!, sigmas.at(-1)!, numInferenceSteps);
    this.timesteps = useKarrasSigmas ? sigmas.map((sigma) => timestepAt(table, sigma)) : timesteps;
    this.sigmas = [...sigmas, 0];
    this.predictionType = predictionType;
    this.initNoiseSigma = timestepSpacing === 'leading' ? Math.sqrt(sigmas[0]! ** 2 + 1) : sigmas[0]!;
  }

  needsNoise(): boolean {
    return false;
  }

  inputScale(stepIndex: number): number {
    return 1 / Math.sqrt(this.sigmas[stepIndex]! ** 2 + 1);
  }

  coefficients(stepIndex: number): StepCoefficients {
    const sigma = this.sigmas[stepIndex]!;
    // x ← x + (x − x̂₀) · (σ′ − σ)/σ
    const kept = this.sigmas[stepIndex + 1]! / sigma;
    const predicted: Record<PredictionType, PairWeights> = {
      epsilon: { latents: 1, modelOutput: -sigma },
      sample: { latents: 0, modelOutput: 1 },
      v_prediction: { latents: 1 / (sigma ** 2 + 1), modelOutput: -sigma / Math.sqrt(sigma ** 2 + 1) },
    };
    return {
      predicted: predicted[this.predictionType],
      denoised: { latents: 0, predicted: 1 },
      previous: { latents: kept, modelOutput: 0, predicted: 1 - kept, noise: 0, history: [] },
    };
  }

  step(input: StepInput): StepOutput {
    return takeStep(this, input);
  }
}
