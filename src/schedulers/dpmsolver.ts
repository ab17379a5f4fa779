/**
 * DPM-Solver sampling: a multistep solver that reaches in 10 to 20 steps what DDIM needs 25 to 50 for.
 *
 * Source: Lu et al. 2022, arXiv:2211.01095 (DPM-Solver++, orders 1 to 3, and its SDE form) and arXiv:2206.00927 (the
 * noise form); `DPMSolverMultistepScheduler` of diffusers. Letters as in its code: λ = ln(α/σ), h = λ′ − λ.
 */
import { assertIntegerInRange, InvalidOptionError } from '../errors.ts';
import type { NoiseSchedule } from './noise-schedule.ts';
import { cleanWeights, noiseWeights } from './parameterization.ts';
import {
  type PredictionType,
  type Scheduler,
  type StepCoefficients,
  type StepInput,
  type StepOutput,
  takeStep,
} from './scheduler.ts';
import { karrasSigmas, sigmaAt, sigmaTable, signalAndNoiseOf, timestepAt } from './sigmas.ts';
import { dpmSolverTimesteps, roundHalfToEven, type TimestepSpacing } from './timesteps.ts';

/** With fewer steps than this, the last ones are of lower order. */
const FEW_STEPS = 15;

/** Data form, noise form, or data form with fresh noise at each step. */
type DpmSolverAlgorithm = 'dpmsolver++' | 'dpmsolver' | 'sde-dpmsolver++';

/** Options of {@link DpmSolverScheduler}. */
interface DpmSolverOptions {
  readonly numInferenceSteps: number;
  readonly noiseSchedule: NoiseSchedule;
  readonly predictionType: PredictionType;
  /** @defaultValue 'trailing' */
  readonly timestepSpacing?: TimestepSpacing;
  /** Added to the timesteps of `leading`. @defaultValue 0 */
  readonly stepsOffset?: number;
  /** @defaultValue 'dpmsolver++' */
  readonly algorithm?: DpmSolverAlgorithm;
  /** 1, 2 or 3; 3 for the data form only. @defaultValue 2 */
  readonly solverOrder?: number;
  /** How the second-order term is weighted. @defaultValue 'midpoint' */
  readonly solverType?: 'midpoint' | 'heun';
  /** Spaces the noise levels as Karras et al. do. @defaultValue false */
  readonly useKarrasSigmas?: boolean;
  /** Where the last step ends: at clean latents, or at the first training timestep. @defaultValue 'zero' */
  readonly finalSigma?: 'zero' | 'sigma_min';
}

/** Multistep sampler; hand each step's `history` to the next. */
export class DpmSolverScheduler implements Scheduler {
  readonly timesteps: readonly number[];
  readonly predictionType: PredictionType;
  readonly initNoiseSigma = 1;
  /** Noise level of every step, and the final one. */
  readonly sigmas: readonly number[];
  readonly #algorithm: DpmSolverAlgorithm;
  readonly #order: number;
  readonly #heun: boolean;

  /**
   * @throws {@link InvalidOptionError} if the steps or the order are out of range, or the algorithm has no such form.
   */
  constructor(options: DpmSolverOptions) {
    const { noiseSchedule, predictionType, numInferenceSteps, useKarrasSigmas = false } = options;
    const { timestepSpacing = 'trailing', stepsOffset = 0, finalSigma = 'zero' } = options;
    const { algorithm = 'dpmsolver++', solverOrder = 2, solverType = 'midpoint' } = options;
    assertIntegerInRange('solverOrder', solverOrder, 1, algorithm === 'dpmsolver++' ? 3 : 2);
    if (algorithm !== 'dpmsolver++' && solverType === 'heun') {
      throw new InvalidOptionError(
        `Cannot use solverType: expected midpoint with ${algorithm}, got heun`,
        'solverType',
        solverType,
      );
    }
    if (algorithm === 'dpmsolver' && finalSigma === 'zero') {
      throw new InvalidOptionError(
        'Cannot use finalSigma: expected sigma_min with dpmsolver, whose steps cannot end at zero, got zero',
        'finalSigma',
        finalSigma,
      );
    }
    const table = sigmaTable(noiseSchedule);
    const { numTrainTimesteps } = noiseSchedule;
    const sigmas: number[] = [];
    if (useKarrasSigmas) {
      sigmas.push(...karrasSigmas(table.at(-1)!, table[0]!, numInferenceSteps));
      this.timesteps = sigmas.map((sigma) => roundHalfToEven(timestepAt(table, sigma)));
    } else {
      this.timesteps = dpmSolverTimesteps({
        numInferenceSteps,
        numTrainTimesteps,
        timestepSpacing,
        stepsOffset,
      });
      sigmas.push(...this.timesteps.map((timestep) => sigmaAt(table, timestep)));
    }
    sigmas.push(finalSigma === 'zero' ? 0 : table[0]!);
    this.sigmas = sigmas;
    this.predictionType = predictionType;
    this.#algorithm = algorithm;
    this.#order = solverOrder;
    this.#heun = solverType === 'heun';
  }

  needsNoise(stepIndex: number): boolean {
    return this.coefficients(stepIndex).previous.noise !== 0;
  }

  inputScale(): number {
    return 1;
  }

  coefficients(stepIndex: number): StepCoefficients {
    const [alpha, sigma] = signalAndNoiseOf(this.sigmas[stepIndex]!);
    const [nextAlpha, nextSigma] = signalAndNoiseOf(this.sigmas[stepIndex + 1]!);
    const lambda = this.#lambda(stepIndex);
    const h = this.#lambda(stepIndex + 1) - lambda;
    const order = this.#orderAt(stepIndex);
    const noiseForm = this.#algorithm === 'dpmsolver';

    // Weights of the latents, of the newest prediction D₀, and of its divided differences D₁ and D₂.
    let latents: number;
    let d0: number;
    let d1: number;
    let d2 = 0;
    let noise = 0;
    switch (this.#algorithm) {
      case 'dpmsolver++': {
        const phi1 = Math.expm1(-h);
        latents = nextSigma / sigma;
        d0 = -nextAlpha * phi1;
        d1 = order === 3 || this.#heun ? nextAlpha * (phi1 / h + 1) : -0.5 * nextAlpha * phi1;
        d2 = -nextAlpha * ((phi1 + h) / h ** 2 - 0.5);
        break;
      }
      case 'dpmsolver':
        latents = nextAlpha / alpha;
        d0 = -nextSigma * Math.expm1(h);
        d1 = 0.5 * d0;
        break;
      case 'sde-dpmsolver++':
        latents = (nextSigma / sigma) * Math.exp(-h);
        d0 = -nextAlpha * Math.expm1(-2 * h);
        d1 = 0.5 * d0;
        noise = nextSigma * Math.sqrt(-Math.expm1(-2 * h));
        break;
    }

    const { newest, history } = this.#differences(stepIndex, order, h, [d0, d1, d2]);
    const clean = cleanWeights(this.predictionType, alpha, sigma);
    const predictedNoise = noiseWeights(this.predictionType, alpha, sigma);
    return {
      predicted: clean,
      denoised: { latents: 0, predicted: 1 },
      previous: noiseForm
        ? {
            latents: latents + newest * predictedNoise.latents,
            modelOutput: newest * predictedNoise.modelOutput,
            predicted: 0,
            noise,
            history,
          }
        : { latents, modelOutput: 0, predicted: newest, noise, history },
      remembered: noiseForm ? predictedNoise : 'predicted',
    };
  }

  step(input: StepInput): StepOutput {
    return takeStep(this, input);
  }

  #lambda(index: number): number {
    return -Math.log(this.sigmas[index]!);
  }

  /** The first steps have little history; the last step to σ = 0, and the last of few, would be unstable. */
  #orderAt(stepIndex: number): number {
    const left = this.timesteps.length - stepIndex;
    const few = this.timesteps.length < FEW_STEPS;
    if (left === 1 && (few || this.sigmas.at(-1) === 0)) return 1;
    if (left === 2 && few) return Math.min(this.#order, stepIndex + 1, 2);
    return Math.min(this.#order, stepIndex + 1);
  }

  /** Turns weights of D₀, D₁ and D₂ into weights of the predictions m₀, m₁ and m₂ that they are made of. */
  #differences(
    stepIndex: number,
    order: number,
    h: number,
    [d0, d1, d2]: readonly [number, number, number],
  ): { newest: number; history: number[] } {
    if (order === 1) return { newest: d0, history: [] };
    const r0 = (this.#lambda(stepIndex) - this.#lambda(stepIndex - 1)) / h;
    if (order === 2) return { newest: d0 + d1 / r0, history: [-d1 / r0] };
    const r1 = (this.#lambda(stepIndex - 1) - this.#lambda(stepIndex - 2)) / h;
    // D₁ = D₁₀ + r₀/(r₀ + r₁) · (D₁₀ − D₁₁), D₂ = (D₁₀ − D₁₁)/(r₀ + r₁), D₁₀ = (m₀ − m₁)/r₀, D₁₁ = (m₁ − m₂)/r₁
    const d11 = -(d1 * r0 + d2) / (r0 + r1);
    const d10 = d1 - d11;
    return { newest: d0 + d10 / r0, history: [d11 / r1 - d10 / r0, -d11 / r1] };
  }
}
