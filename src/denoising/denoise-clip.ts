/**
 * Denoises a clip of any length: context windows take their steps as soon as the frames they need are ready, their
 * predictions are averaged where they overlap, and frames come out in order while later ones are still noise. Memory
 * holds a few windows, whatever the clip's length.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NumericalError } from '../errors.ts';
import { applyGuidance } from '../schedulers/guidance.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import { elementCount, firstNonFinite, type Tensor } from '../tensor/tensor.ts';
import { type ContextWindow, orderWindowSteps, type WindowPlan, type WindowStep } from './context-windows.ts';
import { ClipNoise, type NoisePurpose } from './noise.ts';

/** The denoiser, guidance branches apart. */
export interface Denoiser {
  /** Prediction of the half that sees the reference, for latents [1, C, frames, h, w] of a window. */
  conditional(latents: Tensor, timestep: number, window: ContextWindow): Promise<Tensor>;
  /** Prediction of the half without it; needed where guidance is above 1. */
  unconditional?(latents: Tensor, timestep: number, window: ContextWindow): Promise<Tensor>;
}

/** Options of {@link denoiseClip}. */
export interface DenoiseClipOptions {
  readonly denoiser: Denoiser;
  readonly scheduler: Scheduler;
  /** Weight of classifier-free guidance; 1 is off. */
  readonly guidanceScale: number;
  /** Those of each of the scheduler's steps. */
  readonly windows: WindowPlan;
  /** `[channels, height, width]` of one frame's latents. */
  readonly frameShape: readonly [channels: number, height: number, width: number];
  readonly seed: number;
  /** Share of noise that all frames have in common, 0 to below 1. */
  readonly sharedFraction: number;
  /** Numbers of the frames in the clip, for their noise, where only some of them are denoised. @defaultValue 0, 1, 2 … */
  readonly frameNumbers?: readonly number[] | undefined;
  /** Noise of one frame, [1, C, 1, h, w]. @defaultValue drawn by seed, purpose, step and frame number */
  readonly noise?: ((purpose: NoisePurpose, step: number, frame: number) => Tensor) | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with the windows that come next: before the first step, and while the denoiser runs on each. What it needs
   * for them can be made meanwhile.
   */
  readonly onUpcoming?: ((windows: readonly ContextWindow[]) => void) | undefined;
  /** Awaited before the first step, and before finished frames are yielded: the denoiser may be busy with another clip. */
  readonly untilReady?: (() => Promise<void>) | undefined;
  /** Called after each evaluated step of a window. */
  readonly onStep?: ((step: WindowStep) => void) | undefined;
  /** Called when no step is left: the denoiser is not needed any more, though frames may still be yielded. */
  readonly onDenoised?: (() => void) | undefined;
  /** Where an earlier run of the same clip was; the frames that it had finished are yielded first. */
  readonly resume?: ResumePoint | undefined;
  /** Called wherever a clip can be resumed, see {@link SavePoint}; denoising continues when it returns. */
  readonly onSavePoint?: ((point: SavePoint) => Promise<void>) | undefined;
}

/** Clean latents of one frame, `[1, C, 1, h, w]`. */
export interface DenoisedFrame {
  readonly frame: number;
  readonly latents: Tensor;
}

/** A frame between two steps. */
export interface FrameState {
  /** [1, C, 1, h, w] */
  readonly latents: Tensor;
  /** What the sampler remembers of earlier steps. */
  readonly history: readonly Tensor[];
}

/** How far a clip is: all that changes while it is denoised, so that it can be stored and resumed. */
export interface DenoiseState {
  /** Steps of windows that are done, in the order of {@link orderWindowSteps}. */
  done: number;
  /** By step: frames that are ready for it. */
  readonly states: readonly Map<number, FrameState>[];
  /** By step: weighted predictions of frames that still lack a window, [1, C, 1, h, w]. */
  readonly sums: readonly Map<number, Float32Array>[];
  /** By step: the frames below this one have taken it. */
  readonly finalBefore: number[];
}

/** The state of a clip of which nothing is done. */
function beginDenoising(steps: number): DenoiseState {
  return {
    done: 0,
    states: Array.from({ length: steps }, () => new Map()),
    sums: Array.from({ length: steps }, () => new Map()),
    finalBefore: new Array<number>(steps).fill(0),
  };
}

/**
 * A moment from which a clip can be resumed: after a window's last step, and where those are long in coming (at the beginning, or
 * when windows wrap around) after some steps of others. The same clip has the same save points in every run.
 */
export interface SavePoint {
  /** Counts from 0. */
  readonly index: number;
  /** Frames that were finished since the save point before, in order, and have been yielded; may be none. */
  readonly frames: readonly DenoisedFrame[];
  /** To go on from; not changed any more. */
  readonly state: DenoiseState;
}

/** A state with the frames that come before it. */
export interface ResumePoint {
  /** Belongs to the resuming caller, which changes it. */
  readonly state: DenoiseState;
  /** The frames that were finished, from the first. */
  readonly frames: AsyncIterable<DenoisedFrame>;
}

/** A window takes as many steps as the sampler has: after twice as many without a finished one, the state is saved. */
const SAVE_POINT_ROUNDS = 2;

/** A state that stays as it is while denoising goes on. Frames are never changed, sums are added to. */
function copyOf({ done, states, sums, finalBefore }: DenoiseState): DenoiseState {
  return {
    done,
    states: states.map((ready) => new Map(ready)),
    sums: sums.map((begun) => new Map(Array.from(begun, ([frame, sum]) => [frame, sum.slice()]))),
    finalBefore: [...finalBefore],
  };
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

/** The window of step `from` of the order, and the next that takes its first step: its frames have been seen least. */
function upcomingWindows(order: readonly WindowStep[], from: number, steps: number): ContextWindow[] {
  const next = order[from];
  if (next === undefined) return [];
  // Between two that begin, others take their steps, each window's worth of which is as long as there are steps.
  const beginning = order.slice(from, from + 2 * steps).find(({ stepIndex }) => stepIndex === 0);
  return beginning === undefined || beginning === next ? [next.window] : [next.window, beginning.window];
}

/**
 * Yields every frame's clean latents, in order; with `resume`, bit for bit those of a run without a break.
 *
 * @throws {@link NumericalError} if the denoiser's prediction is not finite; names the frames and the step.
 */
export async function* denoiseClip(options: DenoiseClipOptions): AsyncGenerator<DenoisedFrame> {
  const { denoiser, scheduler, guidanceScale, windows, frameShape, seed, sharedFraction, signal } = options;
  const { onUpcoming, onStep, onDenoised, onSavePoint, resume } = options;
  const steps = scheduler.timesteps.length;
  if (windows.length !== steps) throw new Error(`${windows.length} steps have windows, not ${steps}`);
  const dims = [1, frameShape[0], 1, frameShape[1], frameShape[2]];
  const elements = elementCount(dims);
  const state = resume?.state ?? beginDenoising(steps);
  const { states, sums, finalBefore } = state;

  const clipNoise = new ClipNoise({ seed, frameShape, sharedFraction });
  const noiseOf =
    options.noise ??
    ((purpose: NoisePurpose, step: number, frame: number): Tensor =>
      clipNoise.frame(purpose, step, options.frameNumbers?.[frame] ?? frame));
  const stateOf = (stepIndex: number, frame: number): FrameState => {
    const known = states[stepIndex]!.get(frame);
    if (known !== undefined) return known;
    if (stepIndex > 0) throw new Error(`frame ${frame} is not ready for step ${stepIndex}`);
    const { data } = noiseOf('initial-latents', 0, frame);
    const begun = { latents: { data: scaledBy(scheduler.initNoiseSigma, data), dims }, history: [] };
    states[0]!.set(frame, begun);
    return begun;
  };

  const order = [...orderWindowSteps(windows)];
  const doneBefore = state.done;
  onUpcoming?.(upcomingWindows(order, doneBefore, steps));
  await options.untilReady?.();
  if (doneBefore === order.length) onDenoised?.();
  if (resume !== undefined) yield* resume.frames;
  let savePoint = 0;
  let stepsSince = 0;
  let finished: DenoisedFrame[] = [];
  for (const [position, step] of order.entries()) {
    const { stepIndex, window } = step;
    stepsSince += 1;
    const isSavePoint = stepIndex === steps - 1 || stepsSince === SAVE_POINT_ROUNDS * steps;
    const index = savePoint;
    if (isSavePoint) {
      savePoint += 1;
      stepsSince = 0;
    }
    if (position < doneBefore) continue;
    signal?.throwIfAborted();
    const { frames, weights, finalUntil } = window;
    const timestep = scheduler.timesteps[stepIndex]!;
    const scale = scheduler.inputScale(stepIndex);
    const inputs: Float32Array[] = [];
    for (const frame of frames) {
      inputs.push(scaledBy(scale, stateOf(stepIndex, frame).latents.data));
      // Drawing a frame's noise takes milliseconds: timers and signals get their turn between frames.
      if (stepIndex === 0) await nextTurn();
    }
    const latents = gather(inputs, frameShape);
    const running = denoiser.conditional(latents, timestep, window);
    running.catch(() => {}); // thrown below
    onUpcoming?.(upcomingWindows(order, position + 1, steps));
    // What the sampler will need is drawn while the denoiser runs.
    const stepNoise: Tensor[] = [];
    if (scheduler.needsNoise(stepIndex)) {
      for (let frame = finalBefore[stepIndex]!; frame < finalUntil; frame++) {
        await nextTurn();
        stepNoise.push(noiseOf('sampler-step', stepIndex, frame));
      }
    }
    const conditional = await running;
    let prediction = conditional;
    if (guidanceScale > 1 && denoiser.unconditional !== undefined) {
      signal?.throwIfAborted();
      const other = await denoiser.unconditional(latents, timestep, window);
      prediction = applyGuidance(conditional, other, guidanceScale);
    }
    if (firstNonFinite(prediction) >= 0) {
      throw new NumericalError(
        `Cannot render frames ${frames[0]} to ${frames.at(-1)}: expected finite numbers from the denoiser at timestep ${timestep}, got NaN or infinity; try another device`,
      );
    }
    await nextTurn();
    for (const [i, frame] of frames.entries()) {
      let sum = sums[stepIndex]!.get(frame);
      if (sum === undefined) {
        sum = new Float32Array(elements);
        sums[stepIndex]!.set(frame, sum);
      }
      accumulate(sum, prediction, i, weights[i]!);
    }
    await nextTurn();
    state.done++;
    onStep?.(step);
    if (state.done === order.length) onDenoised?.();

    const firstFinal = finalBefore[stepIndex]!;
    for (; finalBefore[stepIndex]! < finalUntil; finalBefore[stepIndex]!++) {
      const frame = finalBefore[stepIndex]!;
      const { latents: before, history } = stateOf(stepIndex, frame);
      const output = scheduler.step({
        stepIndex,
        latents: before,
        modelOutput: { data: sums[stepIndex]!.get(frame)!, dims },
        history,
        ...(scheduler.needsNoise(stepIndex) ? { noise: stepNoise[frame - firstFinal]! } : {}),
      });
      states[stepIndex]!.delete(frame);
      sums[stepIndex]!.delete(frame);
      if (stepIndex + 1 < steps) {
        states[stepIndex + 1]!.set(frame, { latents: output.prevLatents, history: output.history });
      } else {
        const clean = { frame, latents: output.prevLatents };
        finished.push(clean);
        yield clean;
      }
      await nextTurn();
    }
    if (isSavePoint) {
      await onSavePoint?.({ index, frames: finished, state: copyOf(state) });
      finished = [];
    }
  }
}
