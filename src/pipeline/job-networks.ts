/** Which networks a job is rendered with. */
import { countWindowSteps } from '../denoising/context-windows.ts';
import type { NetworksChoice } from '../networks/load-options.ts';
import type { Job } from './open-job.ts';

/** Starting a second denoiser costs what two windows at a time save in some 28 steps, see docs/decisions.md. */
const STEPS_WORTH_A_SECOND_DENOISER = 32;

/** What decides which networks a job needs. */
export function networksOf({ options, bundle, windows, sampling }: Job): NetworksChoice {
  return {
    bundle,
    windowFrames: windows[0]![0]!.frames.length,
    isShort: countWindowSteps(windows) < STEPS_WORTH_A_SECOND_DENOISER,
    loras: sampling.loras,
    guided: sampling.branches === 2,
    embeddedGuidance: bundle.description.denoisingUnet.timeCondProjDim ? sampling.guidance : null,
    precision: sampling.precision,
    lowMemory: options.lowMemory,
  };
}
