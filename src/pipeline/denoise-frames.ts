/** From noise to the clean latents of every frame. */
import {
  type DenoiseClipOptions,
  type DenoisedFrame,
  type Denoiser,
  denoiseClip,
} from '../denoising/denoise-clip.ts';
import type { ClipNetworks } from '../networks/clip-networks.ts';
import type { Job } from './open-job.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { WindowConditions } from './window-conditions.ts';

/** The networks as {@link denoiseClip} calls them: each window with its own pose features. */
export function denoiserOf(networks: ClipNetworks, conditions: WindowConditions, watch: Stopwatch): Denoiser {
  const branch =
    (name: 'conditional' | 'unconditional'): Denoiser['conditional'] =>
    async (latents, timestep, window) => {
      const pose = await conditions.pose(window);
      return watch.time('denoise', () => networks.denoise(name, latents, timestep, pose));
    };
  return { conditional: branch('conditional'), unconditional: branch('unconditional') };
}

/** Options of {@link denoiseFrames}: what does not follow from the job. */
interface DenoiseFramesOptions
  extends Omit<
    DenoiseClipOptions,
    | 'scheduler'
    | 'guidanceScale'
    | 'windows'
    | 'windowsAtOnce'
    | 'frameShape'
    | 'seed'
    | 'sharedFraction'
    | 'frameNumbers'
    | 'firstFrames'
  > {
  readonly job: Job;
  /** Frames at the clip's beginning that somebody waits for. @defaultValue 0 */
  readonly firstFrames?: number | undefined;
  readonly networks: Pick<ClipNetworks, 'frameShape' | 'windowsAtOnce'>;
}

/**
 * Every frame of the clip that is denoised, in order, with its number there.
 *
 * @throws {@link NumericalError} if the denoiser's output is not finite.
 */
export async function* denoiseFrames({
  job: { options, bundle, sampling, denoisedFrames, windows },
  networks: { frameShape, windowsAtOnce },
  firstFrames = 0,
  ...rest
}: DenoiseFramesOptions): AsyncGenerator<DenoisedFrame> {
  const denoised = denoiseClip({
    ...rest,
    scheduler: sampling.scheduler,
    guidanceScale: sampling.branches === 2 ? sampling.guidance : 1,
    windows,
    windowsAtOnce,
    firstFrames: countDenoised(denoisedFrames, firstFrames),
    frameShape,
    seed: options.seed,
    frameNumbers: denoisedFrames,
    sharedFraction: bundle.description.noise.sharedFraction,
  });
  for await (const { frame, latents } of denoised) yield { frame: denoisedFrames[frame]!, latents };
}

/** How many denoised frames the clip's first ones are made of: the last may be blended with one after it. */
function countDenoised(denoisedFrames: readonly number[], firstFrames: number): number {
  if (firstFrames === 0) return 0;
  const last = denoisedFrames.findIndex((frame) => frame >= firstFrames - 1);
  return last < 0 ? denoisedFrames.length : last + 1;
}
