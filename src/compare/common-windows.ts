/** One set of windows for all contenders, so that they differ in their samplers alone. */
import { type ContextWindow, planContextWindows } from '../pipeline/context-windows.ts';
import { type Job, planWindows } from '../pipeline/open-job.ts';
import type { Contender } from './contenders.ts';

/** Windows, and what is to be said of them. */
export interface CommonWindows {
  readonly windows: readonly ContextWindow[];
  readonly notes: readonly string[];
}

/** The windows that the contenders' presets ask for; where they differ, open ones. */
export function commonWindows(
  { bundle, options, frames }: Pick<Job, 'bundle' | 'options' | 'frames'>,
  contenders: readonly Pick<Contender, 'preset' | 'halves'>[],
): CommonWindows {
  const plans = contenders.map(({ preset, halves }) =>
    planWindows(bundle, { ...options, preset }, { halves }, frames),
  );
  const [first] = plans;
  const shape = (plan: readonly ContextWindow[]): string =>
    JSON.stringify(plan.map((window) => ({ ...window, weights: [...window.weights] })));
  if (plans.every((plan) => shape(plan) === shape(first!))) return { windows: first!, notes: [] };
  return {
    windows: planContextWindows(frames, bundle.description),
    notes: [
      `the presets of the bundle ${bundle.description.name} lay their windows differently: all contenders have open windows here`,
    ],
  };
}
