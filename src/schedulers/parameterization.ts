/** Reads x̂₀ and ε̂ out of a denoiser's prediction, as weights of latents and prediction. */
import { InvalidOptionError } from '../errors.ts';
import { type NoiseSchedule, signalAndNoise } from './noise-schedule.ts';
import type { PairWeights, PredictionType } from './scheduler.ts';

/**
 * Weights that give the predicted clean latents x̂₀ where latents are `signal` · x₀ + `sigma` · ε.
 *
 * Source: Salimans and Ho 2022, arXiv:2202.00512, section 4 and appendix D.
 */
export function cleanWeights(predictionType: PredictionType, signal: number, sigma: number): PairWeights {
  const weights: Record<PredictionType, PairWeights> = {
    epsilon: { latents: 1 / signal, modelOutput: -sigma / signal },
    sample: { latents: 0, modelOutput: 1 },
    v_prediction: { latents: signal, modelOutput: -sigma },
  };
  return weights[predictionType];
}

/** Weights that give the predicted noise ε̂; see {@link cleanWeights}. */
export function noiseWeights(predictionType: PredictionType, signal: number, sigma: number): PairWeights {
  const weights: Record<PredictionType, PairWeights> = {
    epsilon: { latents: 0, modelOutput: 1 },
    sample: { latents: 1 / sigma, modelOutput: -signal / sigma },
    v_prediction: { latents: sigma, modelOutput: signal },
  };
  return weights[predictionType];
}

/**
 * Refuses noise prediction where latents hold no signal: x̂₀ would be divided by 0.
 *
 * @throws {@link InvalidOptionError}
 */
export function assertPredictable(
  predictionType: PredictionType,
  noiseSchedule: NoiseSchedule,
  timesteps: readonly number[],
): void {
  if (predictionType !== 'epsilon') return;
  for (const timestep of timesteps) {
    const [signal] = signalAndNoise(noiseSchedule, timestep);
    if (signal === 0) {
      throw new InvalidOptionError(
        `Cannot use predictionType: expected v_prediction or sample at timestep ${timestep}, where zeroTerminalSnr leaves ` +
          'no signal, got epsilon; use such a model, a schedule without zeroTerminalSnr, or earlier timesteps',
        'predictionType',
        predictionType,
      );
    }
  }
}
