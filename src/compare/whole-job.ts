/** Whole jobs as users run them: from nothing loaded to the finished file, stages overlapping. */
import { rm } from 'node:fs/promises';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { networksOf } from '../pipeline/job-networks.ts';
import type { Job } from '../pipeline/open-job.ts';
import { Studio } from '../pipeline/studio.ts';
import { secondsSince } from './clock.ts';
import { loadNetworks, samplingOf } from './variant-run.ts';
import type { Variant } from './variants.ts';

/**
 * Runs one job in a studio of its own, both forms by the same steps, and removes its video.
 *
 * @param options - with the video's path as `output`.
 * @param planned - the variant's denoised frames and windows.
 * @returns seconds, without the start of the process, which comes before anything can be measured.
 */
export async function timeWholeJob(
  options: AnimateOptions,
  variant: Variant,
  { denoisedFrames, windows }: Pick<Job, 'denoisedFrames' | 'windows'>,
): Promise<number> {
  const begin = performance.now();
  const { signal, device, threads, ...clipOptions } = options;
  const studio = new Studio({
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
  });
  try {
    const clip = await studio.prepare({ ...clipOptions, ...(signal && { signal }) }, (job) =>
      networksOf({ ...job, denoisedFrames, windows, sampling: samplingOf(job.bundle, variant) }),
    );
    const sampling = samplingOf(clip.job.bundle, variant);
    const job = { ...clip.job, sampling, denoisedFrames, windows };
    await studio.render(
      { ...clip, job },
      { loadNetworks: () => loadNetworks(studio, job, variant, sampling, { signal }) },
    );
    await clip.dispose();
    return secondsSince(begin);
  } finally {
    await studio.dispose();
    await rm(options.output, { force: true });
  }
}
