/** One way to cut the clip for all contenders, so that they differ in their samplers alone. */
import { planContextWindows } from '../pipeline/context-windows.ts';
import { planKeyFrames } from '../pipeline/key-frames.ts';
import { type Job, planFrames } from '../pipeline/open-job.ts';
import type { Contender } from './contenders.ts';

type Cut = Pick<Contender, 'preset' | 'halves' | 'every'>;

/** Key frames and windows, and what is to be said of them. */
export interface CommonWindows {
  /** Those of a contender; contenders that denoise the same frames have the same windows. */
  readonly framesOf: (contender: Cut) => Pick<Job, 'keyFrames' | 'windows'>;
  readonly notes: readonly string[];
}

/** The windows that the contenders' presets ask for; where they differ, open ones. */
export function commonWindows(
  { bundle, options, frames }: Pick<Job, 'bundle' | 'options' | 'frames'>,
  contenders: readonly Cut[],
): CommonWindows {
  const planned = ({ preset, halves, every }: Cut): Pick<Job, 'keyFrames' | 'windows'> =>
    planFrames(bundle, { ...options, preset, denoiseEvery: every }, { halves }, frames);
  const shapeOf = (contender: Cut): string =>
    JSON.stringify(
      planned({ ...contender, every: 1 }).windows.map((window) => ({
        ...window,
        weights: [...window.weights],
      })),
    );
  const [first] = contenders;
  if (contenders.every((contender) => shapeOf(contender) === shapeOf(first!))) {
    return { framesOf: planned, notes: [] };
  }
  return {
    framesOf: ({ every }) => {
      const keyFrames = planKeyFrames(frames, every);
      return { keyFrames, windows: planContextWindows(keyFrames.length, bundle.description) };
    },
    notes: [
      `the presets of the bundle ${bundle.description.name} lay their windows differently: all contenders have open windows here`,
    ],
  };
}
