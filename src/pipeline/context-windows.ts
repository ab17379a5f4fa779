/**
 * Context windows: how a clip of any length is cut into overlapping pieces that the motion modules can see, and how
 * their predictions are put together again.
 *
 * Source: the looped schedule is that of AnimateAnyone-style long pipelines (`uniform` in AniPortrait's
 * `src/pipelines/context.py`); the one without wrapping, and both sets of weights, are our own.
 */
import { assertIntegerInRange } from '../errors.ts';
import { roundHalfToEven } from '../schedulers/timesteps.ts';

const MAX_FRAMES = 2 ** 31 - 1;

/** Frames that are denoised together. */
export interface ContextWindow {
  /** Frames of the clip in the window's order; in looped schedules they wrap around, and may repeat. */
  readonly frames: readonly number[];
  /**
   * How much of each frame's prediction comes from this window; over all windows they sum to 1 at each frame, unless
   * predictions are to be summed.
   */
  readonly weights: Float64Array;
  /** All frames below this one are complete once this window and those before it are done. */
  readonly finalUntil: number;
}

/** Options of {@link planContextWindows}. */
export interface ContextOptions {
  /** Frames in a window, 1 or more. */
  readonly contextFrames: number;
  /** Frames that a window shares with the one before, from 0 to `contextFrames` − 1. */
  readonly contextOverlap: number;
}

/**
 * Windows from the clip's first to its last frame, without wrapping: the last window is moved back so that it ends with
 * the clip, and a clip shorter than a window is one short window. Weights fade in and out across the overlaps.
 *
 * @throws {@link InvalidOptionError} if `frames` or an option is out of range.
 * @example
 * planContextWindows(20, { contextFrames: 16, contextOverlap: 4 }).map(({ frames }) => frames[0]); // [0, 4]
 */
export function planContextWindows(frames: number, options: ContextOptions): ContextWindow[] {
  const { contextFrames, contextOverlap } = options;
  assertContext(frames, options);
  const length = Math.min(contextFrames, frames);
  const starts: number[] = [];
  for (let start = 0; start + length < frames; start += contextFrames - contextOverlap) starts.push(start);
  starts.push(frames - length);
  return finishWindows(
    frames,
    starts.map((start) => Array.from({ length }, (_, i) => start + i)),
    (i) => Math.min(i + 1, length - i, contextOverlap + 1),
  );
}

/** Options of {@link planLoopedWindows}. */
export interface LoopedContextOptions extends ContextOptions {
  /** Number of step widths 1, 2, 4 … that windows are laid with. @defaultValue 1 */
  readonly contextStride?: number;
  /** Shifts the windows from step to step; AniPortrait always passes 0. @defaultValue 0 */
  readonly step?: number;
  /** Whether windows may begin within the last overlap. @defaultValue true */
  readonly closedLoop?: boolean;
  /** `sum` adds the predictions of overlapping windows, as AniPortrait does without guidance. @defaultValue 'mean' */
  readonly overlap?: 'mean' | 'sum';
}

/**
 * AniPortrait's windows: they wrap around the end of the clip, and each frame is the plain average of its windows or
 * their sum.
 *
 * @throws {@link InvalidOptionError} if `frames` or an option is out of range.
 */
export function planLoopedWindows(frames: number, options: LoopedContextOptions): ContextWindow[] {
  const {
    contextFrames,
    contextOverlap,
    contextStride = 1,
    step = 0,
    closedLoop = true,
    overlap = 'mean',
  } = options;
  assertContext(frames, options);
  assertIntegerInRange('contextStride', contextStride, 1, 32);
  assertIntegerInRange('step', step, 0, MAX_FRAMES);
  const windows: number[][] = [];
  if (frames <= contextFrames) {
    windows.push(Array.from({ length: frames }, (_, i) => i));
  } else {
    const widths = Math.min(contextStride, Math.ceil(Math.log2(frames / contextFrames)) + 1);
    const shift = reverseBits(step);
    const pad = roundHalfToEven(frames * shift);
    for (let power = 0; power < widths; power++) {
      const width = 2 ** power;
      const end = frames + pad - (closedLoop ? 0 : contextOverlap);
      for (let j = Math.floor(shift * width) + pad; j < end; j += contextFrames * width - contextOverlap) {
        windows.push(Array.from({ length: contextFrames }, (_, i) => (j + i * width) % frames));
      }
    }
  }
  const planned = finishWindows(frames, windows, () => 1);
  if (overlap === 'mean') return planned;
  return planned.map((window) => ({ ...window, weights: window.weights.map(() => 1) }));
}

/** One denoising step of one window. */
export interface WindowStep {
  readonly stepIndex: number;
  /** Index into the planned windows. */
  readonly window: number;
}

/**
 * All steps of all windows in an order that finishes frames as early as it can: a window takes a step as soon as its
 * frames are complete after the step before. A clip then needs latents for a few windows only, whatever its length.
 *
 * @example
 * // three windows, two steps
 * [...orderWindowSteps(windows, 2)]; // steps and windows 0/0, 0/1, 1/0, 0/2, 1/1, 1/2
 */
export function* orderWindowSteps(windows: readonly ContextWindow[], steps: number): Generator<WindowStep> {
  // done[s] windows have taken step s; the frames below finalUntil of the last of them are complete.
  const done = new Array<number>(steps).fill(0);
  const needed = windows.map(({ frames }) => frames.reduce((last, frame) => Math.max(last, frame + 1), 0));
  const advance = function* (stepIndex: number): Generator<WindowStep> {
    if (stepIndex >= steps) return;
    const complete =
      stepIndex === 0 ? Number.POSITIVE_INFINITY : windows[done[stepIndex - 1]! - 1]!.finalUntil;
    while (done[stepIndex]! < windows.length && needed[done[stepIndex]!]! <= complete) {
      yield { stepIndex, window: done[stepIndex]! };
      done[stepIndex]!++;
      yield* advance(stepIndex + 1);
    }
  };
  yield* advance(0);
}

function assertContext(frames: number, { contextFrames, contextOverlap }: ContextOptions): void {
  assertIntegerInRange('frames', frames, 1, MAX_FRAMES);
  assertIntegerInRange('contextFrames', contextFrames, 1, MAX_FRAMES);
  assertIntegerInRange('contextOverlap', contextOverlap, 0, contextFrames - 1);
}

/** Normalises the weights at each frame, and finds out after which window each frame is complete. */
function finishWindows(
  frames: number,
  windows: readonly (readonly number[])[],
  rawWeight: (position: number) => number,
): ContextWindow[] {
  const total = new Float64Array(frames);
  const lastWindow = new Uint32Array(frames);
  windows.forEach((window, index) => {
    window.forEach((frame, i) => {
      total[frame]! += rawWeight(i);
      lastWindow[frame] = index;
    });
  });
  let finalUntil = 0;
  return windows.map((window, index) => {
    while (finalUntil < frames && lastWindow[finalUntil]! <= index) finalUntil++;
    const weights = Float64Array.from(window, (frame, i) => rawWeight(i) / total[frame]!);
    return { frames: window, weights, finalUntil };
  });
}

/** The binary digits of `value` mirrored at the point: 1, 2, 3, 4 … become 1/2, 1/4, 3/4, 1/8 … */
function reverseBits(value: number): number {
  let reversed = 0;
  for (let rest = value, bit = 0.5; rest > 0; rest = Math.floor(rest / 2), bit /= 2) {
    if (rest % 2 === 1) reversed += bit;
  }
  return reversed;
}
