/**
 * DDIM sampling: deterministic steps along the probability flow, the sampler of AniPortrait's published pipeline.
 *
 * Source: Song et al. 2021, arXiv:2010.02502, equations 12 and 16; `DDIMScheduler` of diffusers.
 */
import { assertIntegerInRange, assertNumberInRange } from '../errors.ts';
import { type NoiseSchedule, signalAndNoise } from './noise-schedule.ts';
import { assertPredictable, cleanWeights, noiseWeights } from './parameterization.ts';
import type { PredictionLimit } from './prediction-limit.ts';
import {
  type PredictionType,
  type Scheduler,
  type StepCoefficients,
  type StepInput,
  type StepOutput,
  takeStep,
} from './scheduler.ts';
import { ddimTimesteps, type TimestepSpacing } from './timesteps.ts';

/** Options of {@link DdimScheduler}. */
interface DdimOptions {
  readonly numInferenceSteps: number;
  readonly noiseSchedule: NoiseSchedule;
  readonly predictionType: PredictionType;
  /** @defaultValue 'trailing' */
  readonly timestepSpacing?: TimestepSpacing;
  /** Added to the timesteps of `leading`. @defaultValue 0 */
  readonly stepsOffset?: number;
  /** 0 is deterministic, 1 as stochastic as ancestral sampling. @defaultValue 0 */
  readonly eta?: number;
  /**
   * Where a step leads to: `stride` is ⌊T/steps⌋ timesteps down, as in AniPortrait's pipeline, which drifts off the list
   * when the steps do not divide T; `list` is the next timestep of the list, and clean latents at the end.
   * @defaultValue 'stride'
   */
  readonly previousTimestep?: 'stride' | 'list';
  /** Whether steps below timestep 0 end at clean latents, not at ᾱ₀. @defaultValue true */
  readonly setAlphaToOne?: boolean;
  /** Recomputes ε̂ from the limited x̂₀. @defaultValue false */
  readonly useClippedModelOutput?: boolean;
  /** @defaultValue no limit, as for all latents */
  readonly limit?: PredictionLimit;
}

/** The original sampler: 20 to 50 steps with guidance. */
export class DdimScheduler implements Scheduler {
  readonly timesteps: readonly number[];
  readonly predictionType: PredictionType;
  readonly initNoiseSigma = 1;
  readonly #options: DdimOptions;

  /**
   * @throws {@link InvalidOptionError} if the steps or `eta` are out of range, or for noise prediction where zero
   *   terminal SNR leaves no signal.
   */
  constructor(options: DdimOptions) {
    const { noiseSchedule, predictionType, numInferenceSteps, eta = 0 } = options;
    assertNumberInRange('eta', eta, 0, 1);
    const { numTrainTimesteps } = noiseSchedule;
    const { timestepSpacing = 'trailing', stepsOffset = 0 } = options;
    this.timesteps = ddimTimesteps({ numInferenceSteps, numTrainTimesteps, timestepSpacing, stepsOffset });
    assertIntegerInRange('timesteps', this.timesteps[0]!, 0, numTrainTimesteps - 1);
    assertPredictable(predictionType, noiseSchedule, this.timesteps);
    this.predictionType = predictionType;
    this.#options = options;
  }

  needsNoise(stepIndex: number): boolean {
    return this.coefficients(stepIndex).previous.noise !== 0;
  }

  inputScale(): number {
    return 1;
  }

  coefficients(stepIndex: number): StepCoefficients {
    const { noiseSchedule, eta = 0, useClippedModelOutput = false } = this.#options;
    const timestep = this.timesteps[stepIndex]!;
    const [signal, sigma] = signalAndNoise(noiseSchedule, timestep);
    const alphaCumprod = noiseSchedule.alphasCumprod[timestep]!;
    const prevAlphaCumprod = this.#previousAlphaCumprod(stepIndex);

    // Equation 16: the part of the previous noise level that is drawn again.
    const variance =
      ((1 - prevAlphaCumprod) / (1 - alphaCumprod)) * (1 - alphaCumprod / prevAlphaCumprod) * eta ** 2;
    const direction = Math.sqrt(1 - prevAlphaCumprod - variance);
    // ε̂ from the prediction, or what x̂₀, once limited, leaves of the latents.
    const noise = useClippedModelOutput
      ? { latents: 1 / sigma, modelOutput: 0, predicted: -signal / sigma }
      : { ...noiseWeights(this.predictionType, signal, sigma), predicted: 0 };
    return {
      predicted: cleanWeights(this.predictionType, signal, sigma),
      denoised: { latents: 0, predicted: 1 },
      previous: {
        latents: direction * noise.latents,
        modelOutput: direction * noise.modelOutput,
        predicted: Math.sqrt(prevAlphaCumprod) + direction * noise.predicted,
        noise: Math.sqrt(variance),
        history: [],
      },
    };
  }

  step(input: StepInput): StepOutput {
    return takeStep(this, input, this.#options.limit);
  }

  #previousAlphaCumprod(stepIndex: number): number {
    const {
      noiseSchedule,
      numInferenceSteps,
      previousTimestep = 'stride',
      setAlphaToOne = true,
    } = this.#options;
    const { alphasCumprod, numTrainTimesteps } = noiseSchedule;
    const previous =
      previousTimestep === 'stride'
        ? this.timesteps[stepIndex]! - Math.floor(numTrainTimesteps / numInferenceSteps)
        : (this.timesteps[stepIndex + 1] ?? -1);
    if (previous >= 0) return alphasCumprod[previous]!;
    return setAlphaToOne ? 1 : alphasCumprod[0]!;
  }
}
