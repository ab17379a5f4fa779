/** Which frames of a clip are denoised, and in which windows: all that the loop over steps follows. */
import type { WindowLayout } from '../models/bundle-terms.ts';
import {
  atEveryStep,
  type ContextOptions,
  planContextWindows,
  planLoopedWindows,
  planMovingWindows,
  type WindowPlan,
} from './context-windows.ts';

/** Which frames are denoised, and how. */
export interface PlannedFrames {
  /** Numbers of the frames that are denoised. */
  readonly denoisedFrames: readonly number[];
  /** Windows over the denoised frames, counted from 0, for each step. */
  readonly windows: WindowPlan;
}

/** Options of {@link planFrames}. */
interface PlanFramesOptions extends ContextOptions {
  /** Every nth frame is denoised, 1 or more; those between are blended, see `fill-between.ts`. */
  readonly every: number;
  readonly layout: WindowLayout;
  /** Steps of the sampler, 1 or more. */
  readonly steps: number;
  /** What looped windows do where they overlap. */
  readonly loopOverlap: 'mean' | 'sum';
}

/** The plan for a clip of so many frames, 1 or more. */
export function planFrames(frames: number, { every, ...options }: PlanFramesOptions): PlannedFrames {
  const denoisedFrames = planDenoisedFrames(frames, every);
  return { denoisedFrames, windows: planWindows(denoisedFrames.length, options) };
}

/**
 * Numbers of the frames that are denoised: every `every`th from the first, and the last.
 *
 * @example
 * planDenoisedFrames(6, 2); // [0, 2, 4, 5]
 */
export function planDenoisedFrames(frames: number, every: number): number[] {
  const denoisedFrames = Array.from({ length: Math.ceil(frames / every) }, (_, i) => i * every);
  if (denoisedFrames.at(-1) !== frames - 1) denoisedFrames.push(frames - 1);
  return denoisedFrames;
}

function planWindows(
  frames: number,
  { layout, steps, contextFrames, contextOverlap, loopOverlap: overlap }: Omit<PlanFramesOptions, 'every'>,
): WindowPlan {
  const size = { contextFrames, contextOverlap };
  switch (layout) {
    case 'overlapping':
      return atEveryStep(planContextWindows(frames, size), steps);
    case 'moving':
      return planMovingWindows(frames, { contextFrames, steps });
    case 'loop':
      return atEveryStep(planLoopedWindows(frames, { ...size, overlap }), steps);
  }
}
