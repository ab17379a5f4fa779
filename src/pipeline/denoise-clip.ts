/**
 * Denoises a clip of any length: context windows take their steps as soon as the frames they need are ready, their
 * predictions are averaged where they overlap, and frames come out in order while later ones are still noise. Memory
 * holds a few windows, whatever the clip's length.
 */
import { NumericalError } from '../errors.ts';
import { applyGuidance } from '../schedulers/guidance.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import { elementCount, firstNonFinite, type Tensor } from '../tensor/tensor.ts';
import { type ContextWindow, orderWindowSteps } from './context-windows.ts';
import { noiseForFrames } from './noise.ts';

/** The denoiser, guidance halves apart. */
export interface Denoiser {
  /** Prediction of the half that sees the reference, for latents [1, C, frames, h, w] of window `window`. */
  conditional(latents: Tensor, timestep: number, window: number): Promise<Tensor>;
  /** Prediction of the half without it; needed where guidance is above 1. */
  unconditional?(latents: Tensor, timestep: number, window: number): Promise<Tensor>;
}

/** Options of {@link denoiseClip}. */
export interface DenoiseClipOptions {
  readonly denoiser: Denoiser;
  readonly scheduler: Scheduler;
  /** Weight of classifier-free guidance; 1 is off. */
  readonly guidanceScale: number;
  readonly windows: readonly ContextWindow[];
  /** `[channels, height, width]` of one frame's latents. */
  readonly frameShape: readonly [channels: number, height: number, width: number];
  readonly seed: number;
  /** Share of noise that all frames have in common, 0 to below 1. */
  readonly sharedFraction: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each evaluated step of a window; `lastOfWindow` when the window is done. */
  readonly onStep?: ((window: number, lastOfWindow: boolean) => void) | undefined;
}

/** Clean latents of one frame, `[1, C, 1, h, w]`. */
export interface DenoisedFrame {
  readonly frame: number;
  readonly latents: Tensor;
}

/** A frame between two steps. */
interface FrameState {
  readonly latents: Tensor;
  readonly history: readonly Tensor[];
}

/** Gathers frames of `[1, C, 1, h, w]` into `[1, C, frames, h, w]`. */
function gather(
  frames: readonly Float32Array[],
  [channels, height, width]: readonly [number, number, number],
): Tensor {
  const plane = height * width;
  const data = new Float32Array(frames.length * channels * plane);
  frames.forEach((frame, f) => {
    for (let c = 0; c < channels; c++) {
      data.set(frame.subarray(c * plane, (c + 1) * plane), (c * frames.length + f) * plane);
    }
  });
  return { data, dims: [1, channels, frames.length, height, width] };
}

/** Adds `weight` times frame `index` of `[1, C, frames, h, w]` to `[1, C, 1, h, w]`. */
function accumulate(sum: Float32Array, { data, dims }: Tensor, index: number, weight: number): void {
  const [, channels, frames, height, width] = dims as [number, number, number, number, number];
  const plane = height * width;
  for (let c = 0; c < channels; c++) {
    const from = (c * frames + index) * plane;
    for (let i = 0; i < plane; i++) sum[c * plane + i]! += weight * data[from + i]!;
  }
}

function scaledBy(factor: number, data: Float32Array): Float32Array {
  return factor === 1 ? data : data.map((value) => value * factor);
}

/**
 * Yields every frame's clean latents, in order.
 *
 * @throws {@link NumericalError} if the denoiser's prediction is not finite; names the frames and the step.
 */
export async function* denoiseClip(options: DenoiseClipOptions): AsyncGenerator<DenoisedFrame> {
  const { denoiser, scheduler, guidanceScale, windows, frameShape, seed, sharedFraction, signal, onStep } =
    options;
  const steps = scheduler.timesteps.length;
  const dims = [1, frameShape[0], 1, frameShape[1], frameShape[2]];
  const elements = elementCount(dims);
  // states[s]: frames that are ready for step s; sums[s]: predictions of step s that still lack a window.
  const states = Array.from({ length: steps }, () => new Map<number, FrameState>());
  const sums = Array.from({ length: steps }, () => new Map<number, Float32Array>());
  const finalBefore = new Array<number>(steps).fill(0);

  const noiseOf = (purpose: 'initial-latents' | 'sampler-step', step: number, frame: number): Tensor =>
    noiseForFrames({ seed, purpose, step, start: frame, count: 1, frameShape, sharedFraction });
  const stateOf = (stepIndex: number, frame: number): FrameState => {
    let state = states[stepIndex]!.get(frame);
    if (state === undefined) {
      if (stepIndex > 0) throw new Error(`frame ${frame} is not ready for step ${stepIndex}`);
      const noise = noiseOf('initial-latents', 0, frame);
      state = { latents: { data: scaledBy(scheduler.initNoiseSigma, noise.data), dims }, history: [] };
      states[0]!.set(frame, state);
    }
    return state;
  };

  for (const { stepIndex, window } of orderWindowSteps(windows, steps)) {
    signal?.throwIfAborted();
    const { frames, weights, finalUntil } = windows[window]!;
    const timestep = scheduler.timesteps[stepIndex]!;
    const scale = scheduler.inputScale(stepIndex);
    const latents = gather(
      frames.map((frame) => scaledBy(scale, stateOf(stepIndex, frame).latents.data)),
      frameShape,
    );
    const conditional = await denoiser.conditional(latents, timestep, window);
    let prediction = conditional;
    if (guidanceScale > 1 && denoiser.unconditional !== undefined) {
      signal?.throwIfAborted();
      const other = await denoiser.unconditional(latents, timestep, window);
      prediction = applyGuidance(conditional, other, guidanceScale);
    }
    if (firstNonFinite(prediction) >= 0) {
      throw new NumericalError(
        `Cannot render frames ${frames[0]} to ${frames.at(-1)}: expected finite numbers from the denoiser at timestep ${timestep}, got NaN or infinity; try another --device`,
      );
    }
    frames.forEach((frame, i) => {
      let sum = sums[stepIndex]!.get(frame);
      if (sum === undefined) {
        sum = new Float32Array(elements);
        sums[stepIndex]!.set(frame, sum);
      }
      accumulate(sum, prediction, i, weights[i]!);
    });
    onStep?.(window, stepIndex === steps - 1);

    for (; finalBefore[stepIndex]! < finalUntil; finalBefore[stepIndex]!++) {
      const frame = finalBefore[stepIndex]!;
      const state = stateOf(stepIndex, frame);
      const output = scheduler.step({
        stepIndex,
        latents: state.latents,
        modelOutput: { data: sums[stepIndex]!.get(frame)!, dims },
        history: state.history,
        ...(scheduler.needsNoise(stepIndex) ? { noise: noiseOf('sampler-step', stepIndex, frame) } : {}),
      });
      states[stepIndex]!.delete(frame);
      sums[stepIndex]!.delete(frame);
      if (stepIndex + 1 < steps) {
        states[stepIndex + 1]!.set(frame, { latents: output.prevLatents, history: output.history });
      } else {
        yield { frame, latents: output.prevLatents };
      }
    }
  }
}
