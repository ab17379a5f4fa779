/**
 * How much signal and how much noise a latent holds at each training timestep: betas and their running product ᾱ, in
 * double precision.
 *
 * Source: Ho et al. 2020, arXiv:2006.11239 (linear); Rombach et al. 2022, arXiv:2112.10752 (scaled linear); Nichol and
 * Dhariwal 2021, arXiv:2102.09672 (squared cosine); Lin et al. 2024, arXiv:2305.08891, algorithm 1 (zero terminal SNR).
 */
import { assertIntegerInRange, assertNumberInRange, InvalidOptionError } from '../errors.ts';
import { addScaled, type Tensor } from '../tensor/tensor.ts';

/** Timesteps that Stable Diffusion and AniPortrait are trained with. */
const NUM_TRAIN_TIMESTEPS = 1000;
const MAX_BETA = 0.999;

/** Shape of β over training time. */
export type BetaSchedule = 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';

/** Options of {@link createNoiseSchedule}; plain data, as a bundle stores it. */
interface NoiseScheduleOptions {
  readonly betaSchedule: BetaSchedule;
  /** β of the first timestep, in (0, 1); unused by `squaredcos_cap_v2`. @defaultValue 0.00085 */
  readonly betaStart?: number;
  /** β of the last timestep, in (0, 1); unused by `squaredcos_cap_v2`. @defaultValue 0.012 */
  readonly betaEnd?: number;
  /** Rescales β so that the last timestep is pure noise. @defaultValue false */
  readonly zeroTerminalSnr?: boolean;
  /** @defaultValue 1000 */
  readonly numTrainTimesteps?: number;
}

/** Betas and ᾱ for every training timestep. */
export interface NoiseSchedule {
  readonly numTrainTimesteps: number;
  readonly zeroTerminalSnr: boolean;
  readonly betas: Float64Array;
  /** ᾱ, the running product of 1 − β. */
  readonly alphasCumprod: Float64Array;
}

/**
 * Computes the tables of a noise schedule.
 *
 * @throws {@link InvalidOptionError} if a beta or the number of timesteps is out of range.
 * @example
 * // AniPortrait's inference schedule
 * createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }).alphasCumprod[999]; // 0
 */
export function createNoiseSchedule({
  betaSchedule,
  betaStart = 0.00085,
  betaEnd = 0.012,
  zeroTerminalSnr = false,
  numTrainTimesteps = NUM_TRAIN_TIMESTEPS,
}: NoiseScheduleOptions): NoiseSchedule {
  assertIntegerInRange('numTrainTimesteps', numTrainTimesteps, 2, 1_000_000);
  assertNumberInRange('betaStart', betaStart, Number.MIN_VALUE, MAX_BETA);
  assertNumberInRange('betaEnd', betaEnd, Number.MIN_VALUE, MAX_BETA);
  const makeBetas: Record<BetaSchedule, () => Float64Array> = {
    linear: () => linspace(betaStart, betaEnd, numTrainTimesteps),
    scaled_linear: () =>
      linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), numTrainTimesteps).map((root) => root ** 2),
    squaredcos_cap_v2: () => squaredCosineBetas(numTrainTimesteps),
  };
  if (!Object.hasOwn(makeBetas, betaSchedule)) {
    throw new InvalidOptionError(
      `Cannot use betaSchedule: expected one of ${Object.keys(makeBetas).join(', ')}, got ${betaSchedule}`,
      'betaSchedule',
      betaSchedule,
    );
  }
  const betas = makeBetas[betaSchedule]();
  const alphasCumprod = cumulativeAlphas(betas);
  if (zeroTerminalSnr) rescaleToZeroTerminalSnr(betas, alphasCumprod);
  return { numTrainTimesteps, zeroTerminalSnr, betas, alphasCumprod };
}

/** `[√ᾱ, √(1 − ᾱ)]`: what latents and noise are multiplied with at a training timestep. */
export function signalAndNoise(schedule: NoiseSchedule, timestep: number): readonly [number, number] {
  assertIntegerInRange('timestep', timestep, 0, schedule.numTrainTimesteps - 1);
  const alphaCumprod = schedule.alphasCumprod[timestep]!;
  return [Math.sqrt(alphaCumprod), Math.sqrt(1 - alphaCumprod)];
}

/**
 * Clean latents brought to the noise level of `timestep`, as a new tensor.
 *
 * @throws {@link ShapeError} if `noise` has another shape than `latents`.
 */
export function addNoise(schedule: NoiseSchedule, latents: Tensor, noise: Tensor, timestep: number): Tensor {
  const [signal, sigma] = signalAndNoise(schedule, timestep);
  return addScaled(signal, latents, sigma, noise);
}

function linspace(start: number, end: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) =>
    i === count - 1 ? end : start + ((end - start) * i) / (count - 1),
  );
}

function squaredCosineBetas(count: number): Float64Array {
  const f = (u: number): number => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float64Array.from({ length: count }, (_, i) =>
    Math.min(1 - f((i + 1) / count) / f(i / count), MAX_BETA),
  );
}

function cumulativeAlphas(betas: Float64Array): Float64Array {
  let product = 1;
  return betas.map((beta) => {
    product *= 1 - beta;
    return product;
  });
}

/** Shifts √ᾱ so that its last value is 0, scales it so that its first stays, and recomputes both tables in place. */
function rescaleToZeroTerminalSnr(betas: Float64Array, alphasCumprod: Float64Array): void {
  const roots = alphasCumprod.map(Math.sqrt);
  const first = roots[0]!;
  const last = roots[roots.length - 1]!;
  let previous = 1;
  for (let i = 0; i < roots.length; i++) {
    const alphaCumprod = (((roots[i]! - last) * first) / (first - last)) ** 2;
    alphasCumprod[i] = alphaCumprod;
    betas[i] = 1 - alphaCumprod / previous;
    previous = alphaCumprod;
  }
}
