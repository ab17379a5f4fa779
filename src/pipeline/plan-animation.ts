/** Estimates what a job will take, without rendering. */

import { computedPrecision, devicePrecision } from '../networks/check-precision.ts';
import type { AnimateOptions, AnimationPlan } from './animate-options.ts';
import { estimateJob } from './estimate-job.ts';
import { checkMemory, memorySizeOf } from './job-memory.ts';
import { countDenoisers } from './job-networks.ts';
import { countDecoded, countEvaluations, countPoseRuns } from './open-job.ts';
import { Studio } from './studio.ts';

/**
 * Checks all inputs as {@link animate} does, face included, and estimates what the job will take. Writes nothing.
 *
 * @throws what {@link animate} throws before it renders.
 */
export async function planAnimation(options: AnimateOptions): Promise<AnimationPlan> {
  const notices: string[] = [];
  const studio = Studio.forOptions({
    ...options,
    onProgress: (event) => {
      if (event.type === 'notice') notices.push(event.message); // of the machine
      options.onProgress?.(event);
    },
  });
  try {
    const plan = await planIn(studio, options);
    return { ...plan, notices: [...notices, ...plan.notices] };
  } finally {
    await studio.dispose();
  }
}

/** As {@link planAnimation}, in a studio that is there already. */
export async function planIn(studio: Studio, options: AnimateOptions): Promise<AnimationPlan> {
  const notices: string[] = [];
  const observed: AnimateOptions = {
    ...options,
    onProgress: (event) => {
      if (event.type === 'notice') notices.push(event.message);
      options.onProgress?.(event);
    },
  };
  const { job, portrait } = await studio.openJob(observed);
  try {
    const { bundle, sampling, frames, fps, windows } = job;
    const { width, height } = portrait.info;
    const engine = await studio.denoisingEngine();
    const precision = devicePrecision(sampling.precision, job.options, engine, (message) =>
      observed.onProgress?.({ type: 'notice', message }),
    );
    checkMemory(memorySizeOf(job, engine, width * height));
    const evaluations = countEvaluations(job);
    const estimate = await estimateJob({
      bundle,
      engine,
      windowFrames: windows[0]![0]!.frames.length,
      poseRuns: countPoseRuns(job),
      evaluations,
      precision,
      frames,
      decodedFrames: countDecoded(job),
      denoisers: countDenoisers(job, engine),
      pixels: width * height,
      audioSamples: job.samples,
      lowMemory: job.options.lowMemory,
    });
    if (estimate.busy !== undefined) observed.onProgress?.({ type: 'notice', message: estimate.busy });
    return {
      frames,
      fps,
      duration: frames / fps,
      denoisedFrames: job.denoisedFrames.length,
      windows: Math.max(...windows.map(({ length }) => length)),
      windowLayout: sampling.windows,
      precision: computedPrecision(precision, engine),
      width,
      height,
      device: engine.device,
      bundle: bundle.description.name,
      sampler: sampling.sampler,
      steps: sampling.steps,
      guidance: sampling.guidance,
      denoiserEvaluations: evaluations,
      estimatedSeconds: estimate.seconds,
      estimatedProcessorSeconds: estimate.processorSeconds,
      estimatedMemoryBytes: estimate.memoryBytes,
      ...(portrait.info.faces !== undefined && { faces: portrait.info.faces }),
      notices,
    };
  } finally {
    await portrait.dispose();
  }
}
