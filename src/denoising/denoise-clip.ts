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
import {
  type ContextWindow,
  countWindowSteps,
  countWindowsOfFirst,
  nextWindowStep,
  orderWindowSteps,
  type WindowPlan,
  type WindowStep,
} from './context-windows.ts';
import { ClipNoise, type NoisePurpose } from './noise.ts';

/** The denoiser, guidance branches apart. */
export interface Denoiser {
  /** Prediction of the branch that sees the reference, for latents [1, C, frames, h, w] of a window. */
  conditional(latents: Tensor, timestep: number, window: ContextWindow): Promise<Tensor>;
  /** Prediction of the branch without it; needed where guidance is above 1. */
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
  /**
   * Windows that the denoiser is given at the same time, where so many are ready. The latents are the same, whatever it is.
   * @defaultValue 1
   */
  readonly windowsAtOnce?: number | undefined;
  /**
   * Frames at the clip's beginning that somebody waits for: until they are denoised, no window begins that they do not wait for, so that
   * what is done with them has the other cores. The latents are the same, whatever it is. @defaultValue 0
   */
  readonly firstFrames?: number | undefined;
  /**
   * Awaited once when those frames have been yielded, and before other windows begin: what is done with them has all cores then. Gets the
   * number of frames that have been yielded; with fewer than its reader takes at once, it must not wait for that reader.
   */
  readonly onFirst?: ((yielded: number) => Promise<void>) | undefined;
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
  /** By step: windows that have taken it. */
  readonly taken: number[];
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
    taken: new Array<number>(steps).fill(0),
    states: Array.from({ length: steps }, () => new Map()),
    sums: Array.from({ length: steps }, () => new Map()),
    finalBefore: new Array<number>(steps).fill(0),
  };
}

/** Steps of windows that are done. */
export function countStepsTaken({ taken }: Pick<DenoiseState, 'taken'>): number {
  return taken.reduce((sum, count) => sum + count, 0);
}

/**
 * A moment from which a clip can be resumed: after a window's last step, and where those are long in coming (at the beginning, or
 * when windows wrap around) after some steps of others. Steps that had begun then are taken again.
 */
export interface SavePoint {
  /** Counts from 0, and goes on where a clip is resumed. */
  readonly index: number;
  /** Frames that were finished since the save point before, in order, and have been yielded; may be none. */
  readonly frames: readonly DenoisedFrame[];
  /** To go on from; not changed any more. */
  readonly state: DenoiseState;
}

/** A state with the frames that come before it. */
export interface ResumePoint {
  /** Of the save point. */
  readonly index: number;
  /** Belongs to the resuming caller, which changes it. */
  readonly state: DenoiseState;
  /** The frames that were finished, from the first. */
  readonly frames: AsyncIterable<DenoisedFrame>;
}

/** A window takes as many steps as the sampler has: after twice as many without a finished one, the state is saved. */
const SAVE_POINT_ROUNDS = 2;

/**
 * A state that stays as it is while denoising goes on. Frames are never changed, sums are added to; what frames begin with is
 * drawn again.
 */
function copyOf({ taken, states, sums, finalBefore }: DenoiseState): DenoiseState {
  return {
    taken: [...taken],
    states: states.map((ready, stepIndex) => new Map(stepIndex === 0 ? [] : ready)),
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

/**
 * The windows that take the next steps, and of those that take their first step the next ones: their frames have been seen
 * least.
 */
function upcomingWindows(plan: WindowPlan, begun: readonly number[], windowsAtOnce: number): ContextWindow[] {
  const upcoming = new Set<ContextWindow>();
  for (const { window } of orderWindowSteps(plan, begun)) {
    upcoming.add(window);
    if (upcoming.size === windowsAtOnce) break;
  }
  for (const window of plan[0]!.slice(begun[0], begun[0]! + windowsAtOnce)) upcoming.add(window);
  return [...upcoming];
}

/** What the denoiser says of a window at a step, with what the sampler needs for it. */
interface Evaluation {
  readonly prediction: Tensor;
  /** Of the frames that are complete with the window, in order; empty for samplers without noise. */
  readonly noise: readonly Tensor[];
}

/** A window that is on its way through a step. */
interface BegunStep {
  readonly step: WindowStep;
  /** Among the windows of the step. */
  readonly index: number;
  readonly evaluation: Promise<Evaluation>;
  hasEnded: boolean;
}

/**
 * Yields every frame's clean latents, in order; with `resume`, bit for bit those of a run without a break.
 *
 * @throws {@link NumericalError} if the denoiser's prediction is not finite; names the frames and the step.
 */
export async function* denoiseClip(options: DenoiseClipOptions): AsyncGenerator<DenoisedFrame> {
  const { denoiser, scheduler, guidanceScale, windows, frameShape, seed, sharedFraction, signal } = options;
  const { windowsAtOnce = 1, firstFrames = 0, onUpcoming, onStep, onDenoised, onSavePoint, resume } = options;
  const steps = scheduler.timesteps.length;
  if (windows.length !== steps) throw new Error(`${windows.length} steps have windows, not ${steps}`);
  const dims = [1, frameShape[0], 1, frameShape[1], frameShape[2]];
  const elements = elementCount(dims);
  const state = resume?.state ?? beginDenoising(steps);
  const { taken, states, sums, finalBefore } = state;

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
  const evaluate = async ({ stepIndex, window }: WindowStep, index: number): Promise<Evaluation> => {
    const { frames, finalUntil } = window;
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
    onUpcoming?.(upcomingWindows(planNow(), begun, windowsAtOnce));
    // What the sampler will need is drawn while the denoiser runs.
    const noise: Tensor[] = [];
    if (scheduler.needsNoise(stepIndex)) {
      const firstFinal = windows[stepIndex]![index - 1]?.finalUntil ?? 0;
      for (let frame = firstFinal; frame < finalUntil; frame++) {
        await nextTurn();
        noise.push(noiseOf('sampler-step', stepIndex, frame));
      }
    }
    const conditional = await running;
    if (guidanceScale <= 1 || denoiser.unconditional === undefined) return { prediction: conditional, noise };
    signal?.throwIfAborted();
    const other = await denoiser.unconditional(latents, timestep, window);
    return { prediction: applyGuidance(conditional, other, guidanceScale), noise };
  };

  const begun = [...taken];
  const urgent = firstFrames > 0 ? countWindowsOfFirst(windows, firstFrames) : windows.map(() => 0);
  const urgentWindows = windows.map((ofStep, stepIndex) => ofStep.slice(0, urgent[stepIndex]));
  const isUrgent = (): boolean => urgent.some((count, stepIndex) => taken[stepIndex]! < count);
  /** The windows that may begin. */
  const planNow = (): WindowPlan => (isUrgent() ? urgentWindows : windows);
  const onTheirWay = new Set<BegunStep>();
  const begin = (step: WindowStep): void => {
    const { stepIndex } = step;
    const index = begun[stepIndex]!++;
    const one: BegunStep = { step, index, evaluation: evaluate(step, index), hasEnded: false };
    const end = (): void => {
      one.hasEnded = true;
    };
    one.evaluation.then(end, end);
    onTheirWay.add(one);
  };
  /**
   * The step to begin. Of those that are waited for, one at a time takes its last step while others have all of theirs before them: of
   * two chains of steps, the longer one should not begin last.
   */
  const chooseNext = (): WindowStep | undefined => {
    const plan = planNow();
    const last = steps - 1;
    if (isUrgent() && [...onTheirWay].some(({ step }) => step.stepIndex === last)) {
      const earlier = plan.map((ofStep, stepIndex) =>
        ofStep.slice(0, stepIndex === last ? begun[last] : undefined),
      );
      const next = nextWindowStep(earlier, begun, taken);
      if (next !== undefined) return next;
    }
    return nextWindowStep(plan, begun, taken);
  };
  /** Begins as many steps as are ready and may be on their way. */
  const beginNext = (): void => {
    const busy = [...onTheirWay].filter(({ hasEnded }) => !hasEnded).length;
    for (let free = windowsAtOnce - busy; free > 0; free--) {
      const next = chooseNext();
      if (next === undefined) return;
      signal?.throwIfAborted();
      begin(next);
    }
  };
  /** Whether the windows before it have taken the step: sums of frames are rounded in the order of windows. */
  const isNext = ({ step, index }: BegunStep): boolean => taken[step.stepIndex] === index;

  const total = countWindowSteps(windows);
  onUpcoming?.(upcomingWindows(planNow(), begun, windowsAtOnce));
  await options.untilReady?.();
  if (countStepsTaken(state) === total) onDenoised?.();
  if (resume !== undefined) yield* resume.frames;
  let savePoint = (resume?.index ?? -1) + 1;
  let stepsSince = 0;
  let finished: DenoisedFrame[] = [];
  try {
    for (;;) {
      const one = [...onTheirWay].find((step) => step.hasEnded && isNext(step));
      if (one === undefined) {
        beginNext();
        if (onTheirWay.size === 0) return;
        const running = [...onTheirWay].filter(({ hasEnded }) => !hasEnded);
        await Promise.race(running.map(({ evaluation }) => evaluation));
        continue;
      }
      onTheirWay.delete(one);
      const { prediction, noise } = await one.evaluation;
      const { stepIndex, window } = one.step;
      const { frames, weights, finalUntil } = window;
      if (firstNonFinite(prediction) >= 0) {
        throw new NumericalError(
          `Cannot render frames ${frames[0]} to ${frames.at(-1)}: expected finite numbers from the denoiser at timestep ${scheduler.timesteps[stepIndex]}, got NaN or infinity; try LoRAs at a smaller scale, if there are any, or another device`,
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

      const ready: DenoisedFrame[] = [];
      const firstFinal = finalBefore[stepIndex]!;
      for (; finalBefore[stepIndex]! < finalUntil; finalBefore[stepIndex]!++) {
        const frame = finalBefore[stepIndex]!;
        const { latents: before, history } = stateOf(stepIndex, frame);
        const output = scheduler.step({
          stepIndex,
          latents: before,
          modelOutput: { data: sums[stepIndex]!.get(frame)!, dims },
          history,
          ...(scheduler.needsNoise(stepIndex) ? { noise: noise[frame - firstFinal]! } : {}),
        });
        states[stepIndex]!.delete(frame);
        sums[stepIndex]!.delete(frame);
        if (stepIndex + 1 < steps) {
          states[stepIndex + 1]!.set(frame, { latents: output.prevLatents, history: output.history });
        } else ready.push({ frame, latents: output.prevLatents });
        await nextTurn();
      }
      const wasUrgent = isUrgent();
      taken[stepIndex]! += 1;
      onStep?.(one.step);
      if (countStepsTaken(state) === total) onDenoised?.();
      // The consumer of the frames may be slow. With one window at a time, and for those that are waited for, it may want the cores
      // for itself.
      if (windowsAtOnce > 1 && wasUrgent === isUrgent()) beginNext();
      for (const frame of ready) {
        finished.push(frame);
        yield frame;
      }
      if (wasUrgent && !isUrgent()) {
        onUpcoming?.(upcomingWindows(planNow(), begun, windowsAtOnce));
        await options.onFirst?.(finalBefore[steps - 1]!);
      }
      stepsSince += 1;
      if (stepIndex === steps - 1 || stepsSince === SAVE_POINT_ROUNDS * steps) {
        await onSavePoint?.({ index: savePoint, frames: finished, state: copyOf(state) });
        savePoint += 1;
        stepsSince = 0;
        finished = [];
      }
    }
  } finally {
    // Nothing of the clip runs when this has ended.
    await Promise.allSettled([...onTheirWay].map(({ evaluation }) => evaluation));
  }
}
