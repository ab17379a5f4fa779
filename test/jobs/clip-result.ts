/** What renderers without networks say of the clips that they make. */
import type { AnimateResult, StageTimes } from '../../src/pipeline/animate-options.ts';

const TIMES: StageTimes = {
  prepare: 0,
  motion: 0,
  load: 0,
  reference: 0,
  pose: 0,
  denoise: 1,
  decode: 0,
  encode: 0,
  total: 1,
};

/** A result of the embedded bundle's fast preset; `changes` are the clip's own. */
export function clipResult(
  changes: Pick<AnimateResult, 'output' | 'frames' | 'width' | 'height'> & Partial<AnimateResult>,
): AnimateResult {
  const fps = changes.fps ?? 25;
  return {
    ...{ fps, duration: changes.frames / fps, device: 'cpu', bundle: 'tiny', sampler: 'lcm' },
    ...{ steps: 4, guidance: 1, seed: 42, windowLayout: 'overlapping', precision: 'float32' },
    ...{ denoisedFrames: changes.frames, denoiserEvaluations: 4, times: TIMES },
    ...changes,
  };
}
