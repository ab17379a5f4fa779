/** Which networks a job is rendered with. */
import type { NetworksChoice } from '../networks/bundle-networks.ts';
import type { Job } from './open-job.ts';

/** What decides which networks a job needs. */
export function networksOf({ options, bundle, windows, sampling }: Job): NetworksChoice {
  return {
    bundle,
    windowFrames: windows[0]![0]!.frames.length,
    // The cores that one window leaves are nobody's.
    oneAtATime: windows.every((ofStep) => ofStep.length === 1),
    loras: sampling.loras,
    guided: sampling.branches === 2,
    embeddedGuidance: bundle.description.denoisingUnet.timeCondProjDim ? sampling.guidance : null,
    precision: sampling.precision,
    lowMemory: options.lowMemory,
  };
}
