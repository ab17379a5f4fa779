/**
 * Context windows: how a clip of any length is cut into pieces that the motion modules can see, and how their predictions
 * are put together again.
 *
 * Source: the looped schedule is that of AnimateAnyone-style long pipelines (`uniform` in AniPortrait's
 * `src/pipelines/context.py`), which also knows windows that move from step to step, but moves them by a part of the
 * clip; the ones without wrapping, and their weights, are our own.
 */
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

/** The windows of each step of the sampler, first step first; steps that have the same windows share one list. */
export type WindowPlan = readonly (readonly ContextWindow[])[];

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
 * @throws RangeError if `frames` or an option is out of range.
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

/** Options of {@link planMovingWindows}. */
interface MovingContextOptions {
  /** Frames in a window, 1 or more. */
  readonly contextFrames: number;
  /** Steps of the sampler, 1 or more. */
  readonly steps: number;
}

/** Places that seams need at least: with fewer, they would come back to a frame every other step. */
const MIN_PLACES = 3;

/** Steps of samplers that take few, whose first frames are to come soon. */
const FEW_STEPS = 8;

/**
 * Windows side by side, which begin elsewhere at each step: what a seam leaves is evened out by a window that lies across it
 * a step later. Each frame is denoised once a step, but for a few at the clip's ends, where windows keep their length and
 * their predictions are averaged. A clip shorter than a window is one short window.
 *
 * Seams have as many places as the windows that the clip needs anyway have frames to spare, or a window's length of places,
 * at the price of one more window, where those are too few. Neither many steps nor long clips need frames of more than
 * about a window for each step at once.
 *
 * Few steps visit their places in rising order: the windows of a step then reach no further than as many of the step before, and
 * the clip's first frames wait for few windows. Many steps visit them far from each other.
 *
 * @returns the windows of each step.
 * @throws RangeError if `frames` or an option is out of range.
 * @example
 * planMovingWindows(36, { contextFrames: 12, steps: 2 }).map((windows) => windows.map(({ frames }) => frames[0]));
 * // [[0, 12, 24], [0, 5, 17, 24]]
 */
export function planMovingWindows(
  frames: number,
  { contextFrames, steps }: MovingContextOptions,
): ContextWindow[][] {
  assertContext(frames, { contextFrames, contextOverlap: 0 });
  assertInteger('steps', steps, 1, MAX_FRAMES);
  const length = Math.min(contextFrames, frames);
  const spare = Math.ceil(frames / length) * length - frames;
  const enough = frames === length || spare + 1 >= MIN_PLACES;
  const order = goldenOrder(enough ? spare + 1 : length);
  const places = Array.from({ length: steps }, (_, step) => order[step % order.length]!);
  if (steps <= FEW_STEPS) places.sort((a, b) => a - b);
  return places.map((place) => {
    const starts: number[] = [];
    for (let start = -place; start + length < frames; start += length) {
      starts.push(Math.max(0, start));
    }
    starts.push(frames - length);
    return finishWindows(
      frames,
      starts.map((start) => Array.from({ length }, (_, i) => start + i)),
      (i) => Math.min(i + 1, length - i),
    );
  });
}

/**
 * The numbers below `count`, each once, so that those that follow each other are far apart, however few of them are taken:
 * in the order that the golden section visits places of an interval in.
 *
 * @example
 * goldenOrder(6); // [0, 4, 2, 5, 3, 1]
 */
function goldenOrder(count: number): number[] {
  const golden = (Math.sqrt(5) - 1) / 2;
  const positions = Array.from({ length: count }, (_, i) => (i * golden) % 1);
  const rising = [...positions].sort((a, b) => a - b);
  return positions.map((position) => rising.indexOf(position));
}

/** Options of {@link planLoopedWindows}. */
interface LoopedContextOptions extends ContextOptions {
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
 * @throws RangeError if `frames` or an option is out of range.
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
  assertInteger('contextStride', contextStride, 1, 32);
  assertInteger('step', step, 0, MAX_FRAMES);
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

/** The same windows at every step. */
export function atEveryStep(windows: readonly ContextWindow[], steps: number): WindowPlan {
  return new Array<readonly ContextWindow[]>(steps).fill(windows);
}

/** Evaluations that a plan takes: one for each window of each step. */
export function countWindowSteps(plan: WindowPlan): number {
  return plan.reduce((sum, windows) => sum + windows.length, 0);
}

/**
 * By step: how many of its windows, the first ones, the clip's first frames wait for.
 *
 * @param frames - 1 or more; all of the clip where it has fewer.
 */
export function countWindowsOfFirst(plan: WindowPlan, frames: number): number[] {
  const counts: number[] = [];
  let wanted = frames;
  for (const windows of [...plan].reverse()) {
    const enough = windows.findIndex(({ finalUntil }) => finalUntil >= wanted);
    const count = enough < 0 ? windows.length : enough + 1;
    counts.unshift(count);
    wanted = 1 + Math.max(...windows.slice(0, count).flatMap((window) => window.frames));
  }
  return counts;
}

/** One denoising step of one window. */
export interface WindowStep {
  readonly stepIndex: number;
  readonly window: ContextWindow;
}

/**
 * The step to take next: the latest for which a window's frames are complete, so that frames are finished as early as they can
 * be. A clip then needs latents for a few windows only, whatever its length.
 *
 * @param begun - by step: windows that have begun it, those that have taken it included.
 * @param taken - by step: windows that have taken it.
 * @returns undefined where every window that is left waits for one that has begun, or none is left.
 */
export function nextWindowStep(
  plan: WindowPlan,
  begun: readonly number[],
  taken: readonly number[],
): WindowStep | undefined {
  for (let stepIndex = plan.length - 1; stepIndex >= 0; stepIndex--) {
    const window = plan[stepIndex]![begun[stepIndex]!];
    if (window === undefined) continue;
    const before = plan[stepIndex - 1];
    const complete = before === undefined ? Infinity : (before[taken[stepIndex - 1]! - 1]?.finalUntil ?? 0);
    if (window.frames.every((frame) => frame < complete)) return { stepIndex, window };
  }
  return undefined;
}

/**
 * All steps of all windows, one after another, in the order of {@link nextWindowStep}.
 *
 * @param taken - by step: windows that have taken it before. @defaultValue none
 * @example
 * // three windows a, b, c, two steps
 * [...orderWindowSteps(atEveryStep([a, b, c], 2))]; // steps and windows 0/a, 0/b, 1/a, 0/c, 1/b, 1/c
 */
export function* orderWindowSteps(
  plan: WindowPlan,
  taken: readonly number[] = plan.map(() => 0),
): Generator<WindowStep> {
  const done = [...taken];
  for (;;) {
    const next = nextWindowStep(plan, done, done);
    if (next === undefined) return;
    yield next;
    done[next.stepIndex]! += 1;
  }
}

/** Bundles and options are checked where they are read: a number that is wrong here is a fault of this program. */
function assertInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot plan windows: expected ${name} to be an integer from ${min} to ${max}, got ${value}`,
  );
}

function assertContext(frames: number, { contextFrames, contextOverlap }: ContextOptions): void {
  assertInteger('frames', frames, 1, MAX_FRAMES);
  assertInteger('contextFrames', contextFrames, 1, MAX_FRAMES);
  assertInteger('contextOverlap', contextOverlap, 0, contextFrames - 1);
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
