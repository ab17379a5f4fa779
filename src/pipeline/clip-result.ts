/** What is said of a clip that was rendered. */
import type { Scene } from '../scene/scene.ts';
import type { AnimateResult, StageTimes } from './animate-options.ts';
import { countEvaluations, type Job } from './open-job.ts';

/** @param device - where the denoiser ran. */
export function describeResult(
  job: Job,
  { width, height }: Pick<Scene, 'width' | 'height'>,
  device: string,
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
    device,
    bundle: bundle.description.name,
    sampler: sampling.sampler,
    steps: sampling.steps,
    guidance: sampling.guidance,
    seed: options.seed,
    windowLayout: sampling.windows,
    precision: sampling.precision,
    denoisedFrames: job.denoisedFrames.length,
    denoiserEvaluations: countEvaluations(job),
    times,
  };
}
