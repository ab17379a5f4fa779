/** Which networks a job is rendered with. */
import { countWindowSteps } from '../denoising/context-windows.ts';
import type { NetworksChoice } from '../networks/load-options.ts';
import { MAX_WINDOWS_AT_ONCE } from '../networks/network-opener.ts';
import type { Engine } from '../runtime/engine.ts';
import { usableCores } from '../runtime/usable-cores.ts';
import type { Job } from './open-job.ts';

/** Starting a second denoiser costs what two windows at a time save in some 28 steps, see docs/decisions.md. */
const STEPS_WORTH_A_SECOND_DENOISER = 32;

/** Whether a clip by itself is too short to pay for starting a second denoiser. */
function isShort({ windows }: Pick<Job, 'windows'>): boolean {
  return countWindowSteps(windows) < STEPS_WORTH_A_SECOND_DENOISER;
}

/** Denoisers that are open at the same time for a clip by itself: one for each branch of guidance, or each of the windows at the same time. */
export function countDenoisers(
  job: Pick<Job, 'windows' | 'sampling'>,
  { device, threads = usableCores() }: Pick<Engine, 'device'> & Partial<Pick<Engine, 'threads'>>,
): number {
  if (job.sampling.branches === 2) return 2;
  return device === 'cpu' && !isShort(job) ? Math.min(threads, MAX_WINDOWS_AT_ONCE) : 1;
}

/** What decides which networks a job needs. */
export function networksOf(job: Job): NetworksChoice {
  const { options, bundle, windows, sampling } = job;
  return {
    bundle,
    windowFrames: windows[0]![0]!.frames.length,
    isShort: isShort(job),
    loras: sampling.loras,
    guided: sampling.branches === 2,
    embeddedGuidance: bundle.description.denoisingUnet.timeCondProjDim ? sampling.guidance : null,
    precision: sampling.precision,
    lowMemory: options.lowMemory,
  };
}
