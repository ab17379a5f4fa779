/**
 * Noise levels in the variance-exploding form σ = √((1 − ᾱ)/ᾱ), which DPM-Solver and Euler step through.
 *
 * Source: Karras et al. 2022, arXiv:2206.00364, equation 5; `set_timesteps` of diffusers' DPMSolverMultistepScheduler
 * and EulerDiscreteScheduler.
 */
import type { NoiseSchedule } from './noise-schedule.ts';

/** ᾱ that stands for 0 at the end of a zero terminal SNR schedule, where σ would be infinite. */
const MIN_ALPHA_CUMPROD = 2 ** -24;
const KARRAS_RHO = 7;

/** σ of every training timestep, ascending. */
export function sigmaTable({ alphasCumprod }: NoiseSchedule): Float64Array {
  return alphasCumprod.map((alphaCumprod) => {
    const clamped = alphaCumprod === 0 ? MIN_ALPHA_CUMPROD : alphaCumprod;
    return Math.sqrt((1 - clamped) / clamped);
  });
}

/** σ at a timestep that may lie between two training timesteps. */
export function sigmaAt(table: Float64Array, timestep: number): number {
  const below = Math.floor(timestep);
  const low = table[below]!;
  return below === timestep ? low : low + (table[below + 1]! - low) * (timestep - below);
}

/** The timestep whose log σ is that of `sigma`, between two training timesteps as a rule. */
export function timestepAt(table: Float64Array, sigma: number): number {
  const logSigma = Math.log(sigma);
  let below = 0;
  while (below < table.length - 2 && Math.log(table[below + 1]!) <= logSigma) below++;
  const low = Math.log(table[below]!);
  const high = Math.log(table[below + 1]!);
  return below + Math.min(Math.max((logSigma - low) / (high - low), 0), 1);
}

/** `count` noise levels from `max` to `min`, dense where they are small. */
export function karrasSigmas(max: number, min: number, count: number): number[] {
  const from = max ** (1 / KARRAS_RHO);
  const to = min ** (1 / KARRAS_RHO);
  return Array.from({ length: count }, (_, i) => {
    const ramp = count === 1 ? 0 : i / (count - 1);
    return (from + ramp * (to - from)) ** KARRAS_RHO;
  });
}

/** Signal and noise of variance-preserving latents at noise level σ; they have no signal at 4096 and more, nearly. */
export function signalAndNoiseOf(sigma: number): readonly [number, number] {
  const signal = 1 / Math.sqrt(sigma ** 2 + 1);
  return [signal, sigma * signal];
}
