/** One way to cut the clip for all variants, so that they differ in their samplers and in what they ask for alone. */

import type { PlannedFrames } from '../denoising/plan-frames.ts';
import type { Job } from '../pipeline/open-job.ts';
import { planClip } from '../pipeline/resolve-sampling.ts';
import type { Variant } from './variants.ts';

type WindowSettings = Pick<Variant, 'preset' | 'steps' | 'branches' | 'every' | 'windows' | 'ownWindows'>;

/** Denoised frames and windows, and what is to be said of them. */
export interface CommonWindows {
  /** Those of a variant. */
  readonly framesOf: (variant: WindowSettings) => PlannedFrames;
  readonly notes: readonly string[];
}

/**
 * The windows that the variants' presets ask for; where they differ, overlapping ones. Who has moving windows, or was asked
 * for others than the preset's, has those.
 */
export function commonWindows(
  { bundle, frames }: Pick<Job, 'bundle' | 'frames'>,
  variants: readonly WindowSettings[],
): CommonWindows {
  const planned = ({ preset, every: denoiseEvery, ...settings }: WindowSettings): PlannedFrames =>
    planClip(bundle, preset, { ...settings, denoiseEvery }, frames);
  const shapeOf = (variant: WindowSettings): string =>
    JSON.stringify(
      planned({ ...variant, every: 1 }).windows[0]!.map((window) => ({
        ...window,
        weights: [...window.weights],
      })),
    );
  const alike = variants.filter(({ ownWindows }) => !ownWindows);
  if (new Set(alike.map(shapeOf)).size <= 1) return { framesOf: planned, notes: [] };
  return {
    framesOf: (variant) => planned(variant.ownWindows ? variant : { ...variant, windows: 'overlapping' }),
    notes: [
      `the presets of the bundle ${bundle.description.name} lay their windows differently: all variants have overlapping windows here that were not asked for others`,
    ],
  };
}
