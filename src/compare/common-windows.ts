/** One way to cut the clip for all contenders, so that they differ in their samplers and in what they ask for alone. */
import { type Job, planFrames } from '../pipeline/open-job.ts';
import type { Contender } from './contenders.ts';

type Cut = Pick<Contender, 'preset' | 'steps' | 'halves' | 'every' | 'windows' | 'ownWindows'>;

/** Key frames and windows, and what is to be said of them. */
export interface CommonWindows {
  /** Those of a contender. */
  readonly framesOf: (contender: Cut) => Pick<Job, 'keyFrames' | 'windows'>;
  readonly notes: readonly string[];
}

/**
 * The windows that the contenders' presets ask for; where they differ, overlapping ones. Who has moving windows, or was asked
 * for others than the preset's, has those.
 */
export function commonWindows(
  { bundle, frames }: Pick<Job, 'bundle' | 'frames'>,
  contenders: readonly Cut[],
): CommonWindows {
  const planned = ({ preset, every: denoiseEvery, ...cut }: Cut): Pick<Job, 'keyFrames' | 'windows'> =>
    planFrames(bundle, preset, { ...cut, denoiseEvery }, frames);
  const shapeOf = (contender: Cut): string =>
    JSON.stringify(
      planned({ ...contender, every: 1 }).windows[0]!.map((window) => ({
        ...window,
        weights: [...window.weights],
      })),
    );
  const alike = contenders.filter(({ ownWindows }) => !ownWindows);
  if (new Set(alike.map(shapeOf)).size <= 1) return { framesOf: planned, notes: [] };
  return {
    framesOf: (contender) =>
      planned(contender.ownWindows ? contender : { ...contender, windows: 'overlapping' }),
    notes: [
      `the presets of the bundle ${bundle.description.name} lay their windows differently: all contenders have overlapping windows here that were not asked for others`,
    ],
  };
}
