/**
 * Latent Consistency Model (LCM) sampling: 1 to 8 denoising steps instead of 25 to 50.
 *
 * Source: Luo et al. 2023, arXiv:2310.04378; step selection and constants as in `LCMScheduler` of diffusers.
 */
import { type NoiseSchedule, signalAndNoise } from './noise-schedule.ts';
import { assertPredictable, cleanWeights } from './parameterization.ts';
import type { PredictionLimit } from './prediction-limit.ts';
import {
  type PredictionType,
  type Scheduler,
  type StepCoefficients,
  type StepInput,
  type StepOutput,
  takeStep,
} from './scheduler.ts';
import { customTimesteps, lcmTimesteps } from './timesteps.ts';

/** Steps of the schedule that LCM denoisers are distilled on, unless said otherwise. */
export const LCM_ORIGINAL_STEPS = 50;
const SIGMA_DATA = 0.5;
const TIMESTEP_SCALING = 10;

/** Options of {@link LcmScheduler}. */
interface LcmOptions {
  /** From 1 to `originalInferenceSteps`; unused with `timesteps`. */
  readonly numInferenceSteps: number;
  readonly noiseSchedule: NoiseSchedule;
  readonly predictionType: PredictionType;
  /** Steps of the schedule that the model was distilled on. @defaultValue 50 */
  readonly originalInferenceSteps?: number;
  /** Part of the noise that the run starts with, in (0, 1]; below 1 for image to image. @defaultValue 1 */
  readonly strength?: number;
  /** The timesteps themselves, strictly descending. */
  readonly timesteps?: readonly number[];
  /** Steepness of the boundary condition at t = 0. @defaultValue 10 */
  readonly timestepScaling?: number;
  /** @defaultValue no limit, as for all latents */
  readonly limit?: PredictionLimit;
}

/**
 * Few-step sampler that predicts the clean latents, and adds fresh noise for the next step.
 *
 * @example
 * new LcmScheduler({ numInferenceSteps: 4, noiseSchedule, predictionType: 'v_prediction' }).timesteps;
 * // [999, 759, 499, 259]
 */
export class LcmScheduler implements Scheduler {
  readonly timesteps: readonly number[];
  readonly predictionType: PredictionType;
  readonly initNoiseSigma = 1;
  readonly #noiseSchedule: NoiseSchedule;
  readonly #timestepScaling: number;
  readonly #limit: PredictionLimit | undefined;

  /**
   * @throws {@link InvalidOptionError} if the steps do not fit the grid, or for noise prediction where zero terminal SNR
   *   leaves no signal.
   */
  constructor(options: LcmOptions) {
    const { noiseSchedule, predictionType, numInferenceSteps } = options;
    const { originalInferenceSteps = LCM_ORIGINAL_STEPS, strength = 1 } = options;
    const { numTrainTimesteps } = noiseSchedule;
    this.timesteps =
      options.timesteps === undefined
        ? lcmTimesteps({ numInferenceSteps, numTrainTimesteps, originalInferenceSteps, strength })
        : customTimesteps(options.timesteps, { numTrainTimesteps, strength });
    assertPredictable(predictionType, noiseSchedule, this.timesteps);
    this.predictionType = predictionType;
    this.#noiseSchedule = noiseSchedule;
    this.#timestepScaling = options.timestepScaling ?? TIMESTEP_SCALING;
    this.#limit = options.limit;
  }

  needsNoise(stepIndex: number): boolean {
    return stepIndex < this.timesteps.length - 1;
  }

  inputScale(): number {
    return 1;
  }

  coefficients(stepIndex: number): StepCoefficients {
    const timestep = this.timesteps[stepIndex]!;
    // Boundary condition of the consistency model: the identity at t = 0.
    const s = timestep * this.#timestepScaling;
    const cSkip = SIGMA_DATA ** 2 / (s ** 2 + SIGMA_DATA ** 2);
    const cOut = s / Math.sqrt(s ** 2 + SIGMA_DATA ** 2);

    const nextTimestep = this.timesteps[stepIndex + 1];
    const [nextSignal, nextSigma] =
      nextTimestep === undefined ? [1, 0] : signalAndNoise(this.#noiseSchedule, nextTimestep);
    return {
      predicted: cleanWeights(this.predictionType, ...signalAndNoise(this.#noiseSchedule, timestep)),
      denoised: { latents: cSkip, predicted: cOut },
      previous: {
        latents: nextSignal * cSkip,
        modelOutput: 0,
        predicted: nextSignal * cOut,
        noise: nextSigma,
        history: [],
      },
    };
  }

  step(input: StepInput): StepOutput {
    return takeStep(this, input, this.#limit);
  }
}
