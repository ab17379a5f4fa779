/**
 * Trajectory Consistency Distillation (TCD) sampling: few steps, with as much fresh noise as `eta` says.
 *
 * Source: Zheng et al. 2024, arXiv:2402.19159, algorithm 4; `TCDScheduler` of diffusers.
 */
import { assertNumberInRange } from '../errors.ts';
import { LCM_ORIGINAL_STEPS } from './lcm.ts';
import { type NoiseSchedule, signalAndNoise } from './noise-schedule.ts';
import { assertPredictable, cleanWeights, noiseWeights } from './parameterization.ts';
import {
  type PredictionType,
  type Scheduler,
  type StepCoefficients,
  type StepInput,
  type StepOutput,
  takeStep,
} from './scheduler.ts';
import { evenTimesteps, lcmTimesteps } from './timesteps.ts';

/** Options of {@link TcdScheduler}. */
interface TcdOptions {
  readonly numInferenceSteps: number;
  readonly noiseSchedule: NoiseSchedule;
  readonly predictionType: PredictionType;
  /** γ of the paper: 0 is deterministic, 1 is nearly LCM. @defaultValue 0.3 */
  readonly eta?: number;
  /** Where timesteps come from: the 50 of the distillation, or all of the training. @defaultValue 'distillation' */
  readonly grid?: 'distillation' | 'training';
}

/** Few-step sampler for trajectory-consistent models; with `eta` 0 it suits video. */
export class TcdScheduler implements Scheduler {
  readonly timesteps: readonly number[];
  readonly predictionType: PredictionType;
  readonly initNoiseSigma = 1;
  readonly #noiseSchedule: NoiseSchedule;
  readonly #eta: number;

  /**
   * @throws {@link InvalidOptionError} if the steps or `eta` are out of range, or for noise prediction where zero
   *   terminal SNR leaves no signal.
   */
  constructor({
    numInferenceSteps,
    noiseSchedule,
    predictionType,
    eta = 0.3,
    grid = 'distillation',
  }: TcdOptions) {
    assertNumberInRange('eta', eta, 0, 1);
    const { numTrainTimesteps } = noiseSchedule;
    this.timesteps =
      grid === 'training'
        ? evenTimesteps(numInferenceSteps, numTrainTimesteps)
        : lcmTimesteps({
            numInferenceSteps,
            numTrainTimesteps,
            originalInferenceSteps: LCM_ORIGINAL_STEPS,
            strength: 1,
          });
    assertPredictable(predictionType, noiseSchedule, this.timesteps);
    this.predictionType = predictionType;
    this.#noiseSchedule = noiseSchedule;
    this.#eta = eta;
  }

  needsNoise(stepIndex: number): boolean {
    return this.#eta > 0 && stepIndex < this.timesteps.length - 1;
  }

  inputScale(): number {
    return 1;
  }

  coefficients(stepIndex: number): StepCoefficients {
    const schedule = this.#noiseSchedule;
    const [signal, sigma] = signalAndNoise(schedule, this.timesteps[stepIndex]!);
    const nextTimestep = this.timesteps[stepIndex + 1] ?? 0;
    // The trajectory is followed past the next timestep, down to `target`; noise then leads back up.
    const target = Math.floor((1 - this.#eta) * nextTimestep);
    const [targetSignal, targetSigma] = signalAndNoise(schedule, target);
    const ratio = this.needsNoise(stepIndex)
      ? schedule.alphasCumprod[nextTimestep]! / schedule.alphasCumprod[target]!
      : 1;
    const kept = Math.sqrt(ratio);
    const noise = noiseWeights(this.predictionType, signal, sigma);
    return {
      predicted: cleanWeights(this.predictionType, signal, sigma),
      denoised: { latents: 0, predicted: 1 },
      previous: {
        latents: kept * targetSigma * noise.latents,
        modelOutput: kept * targetSigma * noise.modelOutput,
        predicted: kept * targetSignal,
        noise: Math.sqrt(1 - ratio),
        history: [],
      },
    };
  }

  step(input: StepInput): StepOutput {
    return takeStep(this, input);
  }
}
