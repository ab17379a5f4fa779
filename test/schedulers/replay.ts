/** Replays the runs of test/golden/schedulers, in double precision by coefficients and in float32 by `step`. */
import { readFileSync } from 'node:fs';
import {
  createNoiseSchedule,
  type NoiseSchedule,
  signalAndNoise,
} from '../../src/schedulers/noise-schedule.ts';
import { limitPrediction, type PredictionLimit } from '../../src/schedulers/prediction-limit.ts';
import type { Scheduler } from '../../src/schedulers/scheduler.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

const GOLDEN = new URL('../golden/schedulers/', import.meta.url);
const DIMS = [1, 4, 4, 4];

export interface GoldenStep {
  readonly t: number;
  readonly mo?: readonly number[];
  readonly x0?: readonly number[];
  readonly prev: readonly number[];
  readonly c_skip?: number;
  readonly c_out?: number;
}

export interface GoldenRun {
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: the options of five classes, as their library spells them
  readonly config: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly set_timesteps: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly step_kwargs?: any;
  readonly init: { readonly kind: 'x_T' | 'add_noise'; readonly init_noise_sigma?: number };
  readonly timesteps: readonly number[];
  readonly timesteps_f64?: readonly number[];
  readonly sigmas_f64?: readonly number[];
  readonly finite?: boolean;
  readonly steps: readonly GoldenStep[];
  readonly f64: {
    readonly sum: readonly number[];
    readonly sumsq: readonly number[];
    readonly final: readonly number[];
  };
}

// biome-ignore lint/suspicious/noExplicitAny: outside data, described in its README
export function readGolden(name: string): any {
  return JSON.parse(readFileSync(new URL(name, GOLDEN), 'utf8'));
}

// Stored with the shortest decimals that name a float32.
const toFloat32 = (values: number[]): number[] => values.map(Math.fround);
const stored: { x_T: number[]; noise: number[][]; x0_img2img: number[] } = readGolden('inputs.json');
const inputs = {
  x_T: toFloat32(stored.x_T),
  noise: stored.noise.map(toFloat32),
  x0_img2img: toFloat32(stored.x0_img2img),
};

export function scheduleOf({ config }: GoldenRun): NoiseSchedule {
  return createNoiseSchedule({
    betaSchedule: config.beta_schedule,
    betaStart: config.beta_start ?? 0.00085,
    betaEnd: config.beta_end ?? 0.012,
    zeroTerminalSnr: config.rescale_betas_zero_snr ?? false,
  });
}

/** The model of the goldens. */
export function m1(x: number, k: number, t: number, i: number): number {
  return (
    (0.8 * x) / (1 + 0.1 * x * x) +
    0.25 * Math.sin(0.37 * k + 0.011 * t) -
    0.15 * Math.cos(0.53 * k - 0.9 * i)
  );
}

function startOf(run: GoldenRun, scheduler: Scheduler): number[] {
  if (run.init.kind === 'x_T') return inputs.x_T.map((value) => value * scheduler.initNoiseSigma);
  const [signal, sigma] = signalAndNoise(scheduleOf(run), scheduler.timesteps[0]!);
  return inputs.x_T.map((value, k) => signal * inputs.x0_img2img[k]! + sigma * value);
}

/** Every step's `prevLatents`, in double precision. */
export function replayInDouble(run: GoldenRun, scheduler: Scheduler, limit?: PredictionLimit): number[][] {
  const trajectory: number[][] = [];
  let x = startOf(run, scheduler);
  let history: (readonly number[])[] = [];
  scheduler.timesteps.forEach((t, i) => {
    const scale = scheduler.inputScale(i);
    const m = x.map((value, k) => m1(value * scale, k, t, i));
    const { predicted, previous, remembered } = scheduler.coefficients(i);
    const x0 = Float64Array.from(x, (value, k) => predicted.latents * value + predicted.modelOutput * m[k]!);
    if (limit !== undefined) limitPrediction(x0, 1, limit);
    const next = x.map((value, k) => {
      const past = previous.history.reduce((sum, weight, h) => sum + weight * history[h]![k]!, 0);
      return (
        previous.latents * value +
        previous.modelOutput * m[k]! +
        previous.predicted * x0[k]! +
        (previous.noise === 0 ? 0 : previous.noise * inputs.noise[i]![k]!) +
        past
      );
    });
    if (remembered !== undefined) {
      const handedOn =
        remembered === 'predicted'
          ? [...x0]
          : x.map((value, k) => remembered.latents * value + remembered.modelOutput * m[k]!);
      history = [handedOn, ...history];
    }
    x = next;
    trajectory.push(next);
  });
  return trajectory;
}

const asTensor = (values: readonly number[]): Tensor => ({ data: Float32Array.from(values), dims: DIMS });

/** Every step's outputs of `step`, in float32; the history goes from step to step as a caller hands it on. */
export function replay(run: GoldenRun, scheduler: Scheduler): { denoised: Tensor; prevLatents: Tensor }[] {
  const outputs: { denoised: Tensor; prevLatents: Tensor }[] = [];
  let latents = asTensor(startOf(run, scheduler));
  let history: readonly Tensor[] = [];
  scheduler.timesteps.forEach((t, stepIndex) => {
    const scale = scheduler.inputScale(stepIndex);
    const modelOutput = asTensor(
      Array.from(latents.data, (value, k) => m1(Math.fround(value * scale), k, t, stepIndex)),
    );
    const output = scheduler.step({
      stepIndex,
      latents,
      modelOutput,
      history,
      ...(scheduler.needsNoise(stepIndex) && { noise: asTensor(inputs.noise[stepIndex]!) }),
    });
    outputs.push(output);
    latents = output.prevLatents;
    history = output.history;
  });
  return outputs;
}
