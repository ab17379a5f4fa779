/** What is said of a clip that was rendered. */
import { computedPrecision } from '../networks/check-precision.ts';
import type { Engine } from '../runtime/engine.ts';
import type { Scene } from '../scene/scene.ts';
import type { AnimateResult, StageTimes } from './animate-options.ts';
import { countEvaluations, type Job } from './open-job.ts';

/** @param engine - where the denoiser ran. */
export function describeResult(
  job: Job,
  { width, height }: Pick<Scene, 'width' | 'height'>,
  engine: Pick<Engine, 'device' | 'precision'>,
  times: StageTimes,
): AnimateResult {
  const { output, frames, fps, bundle, sampling, options } = job;
  return {
    output,
    frames,
    fps,
    duration: frames / fps,
    width,
    height,
    device: engine.device,
    bundle: bundle.description.name,
    sampler: sampling.sampler,
    steps: sampling.steps,
    guidance: sampling.guidance,
    seed: options.seed,
    windowLayout: sampling.windows,
    precision: computedPrecision(sampling.precision, engine),
    denoisedFrames: job.denoisedFrames.length,
    denoiserEvaluations: countEvaluations(job),
    times,
  };
}
