/**
 * Renders a clip once with one variant, one stage after another, so that every stage's time is its own; hands the turn
 * on after every window's worth of denoising.
 */

import type { Denoiser } from '../denoising/denoise-clip.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { readWhole } from '../media/read-ahead.ts';
import { type ClipNetworks, releasePose } from '../networks/clip-networks.ts';
import { composeFrames } from '../pipeline/compose-frames.ts';
import { decodeFrames } from '../pipeline/decode-frames.ts';
import { denoiseFrames, denoiserOf } from '../pipeline/denoise-frames.ts';
import type { Job } from '../pipeline/open-job.ts';
import type { Sampling } from '../pipeline/resolve-sampling.ts';
import { Stopwatch } from '../pipeline/stopwatch.ts';
import { WindowConditions } from '../pipeline/window-conditions.ts';
import type { Scene } from '../scene/scene.ts';
import { secondsSince } from './clock.ts';
import { PublishedNetworks } from './published-networks.ts';

/** What is rendered, and with what. */
interface MeasureRenderOptions {
  readonly job: Job;
  readonly scene: Scene;
  readonly networks: ClipNetworks;
  readonly sampling: Sampling;
  /** Hands the turn on. */
  readonly pass: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  /** Called after every window's step. */
  readonly onStep?: () => void;
  /** Takes every frame, with its clean latents where they were decoded; not timed. */
  readonly onFrame?: (picture: RgbImage, latents: Float32Array | undefined) => Promise<void>;
}

/** Seconds of one rendering. */
export interface RenderTimes {
  readonly reference: number;
  readonly pose: number;
  readonly denoise: number;
  readonly decode: number;
  /** Of each run of the denoiser. */
  readonly runs: readonly number[];
}

/**
 * Denoising is all that happens between noise and clean latents: the denoiser's runs, noise, guidance and the sampler's
 * arithmetic; pose features are not in it, also where they are made at every step.
 *
 * @throws {@link NumericalError} if the denoiser's output is not finite.
 */
export async function measureRender(options: MeasureRenderOptions): Promise<RenderTimes> {
  const { job, scene, networks, sampling, pass, signal, onStep, onFrame } = options;
  const { denoisedFrames, windows } = job;
  const watch = new Stopwatch();
  const published = networks instanceof PublishedNetworks;
  let posesInRuns = 0;
  if (published) {
    networks.onPose = (seconds) => {
      posesInRuns += seconds;
    };
  }
  await watch.time('reference', async () => {
    await networks.bindReference(await networks.makeReference(scene.reference), { transfer: true });
  });

  const conditions = new WindowConditions({ scene, networks, denoisedFrames, windows, watch });
  const inner = denoiserOf(networks, conditions, watch);
  const stepsPerTurn = windows.length;
  const runs: number[] = [];
  let steps = 0;
  let waiting = 0;
  const branch = (name: 'conditional' | 'unconditional'): Denoiser['conditional'] => {
    return async (latents, timestep, window) => {
      if (name === 'conditional' && steps >= stepsPerTurn) {
        const begin = performance.now();
        steps = 0;
        await pass();
        waiting += secondsSince(begin);
      }
      const before = watch.report().denoise - posesInRuns;
      const output = await inner[name]!(latents, timestep, window);
      const after = watch.report().denoise - posesInRuns;
      if (name === 'conditional' || !published) runs.push(after - before);
      return output;
    };
  };
  let generating = 0;
  const denoised = denoiseFrames({
    job: { ...job, sampling },
    networks,
    signal,
    denoiser: { conditional: branch('conditional'), unconditional: branch('unconditional') },
    onStep: (step) => {
      conditions.stepDone(step);
      steps += 1;
      onStep?.();
    },
  });
  const timed = timeItems(denoised, (seconds) => {
    generating += seconds;
  });
  const ready = networks.inTurn ? readWhole(timed) : timed;
  const decoded = decodeFrames(ready, { networks, conditions, watch, signal });
  for await (const { picture, latents } of composeFrames(decoded, { scene, watch, signal })) {
    await onFrame?.(picture, latents?.data);
  }
  const { reference, pose, decode } = watch.report();
  return {
    reference,
    pose: pose + posesInRuns,
    decode,
    runs,
    denoise: generating - pose - posesInRuns - waiting,
  };
}

/** The items of `source`; tells the seconds that each of them took to come. */
async function* timeItems<T>(
  source: AsyncIterator<T>,
  onSeconds: (seconds: number) => void,
): AsyncGenerator<T> {
  for (;;) {
    const begin = performance.now();
    const next = await source.next();
    onSeconds(secondsSince(begin));
    if (next.done) return;
    yield next.value;
  }
}

/** Runs every network of a variant once, on the clip's first window, and forgets the results. */
export async function warmUp({
  job,
  scene,
  networks,
  sampling: { scheduler, branches },
}: Omit<MeasureRenderOptions, 'pass'>): Promise<void> {
  const { windows } = job;
  const { frames } = windows[0]![0]!;
  await networks.bindReference(await networks.makeReference(scene.reference), { transfer: true });
  const seen = await Promise.all(frames.map((frame) => scene.conditions(frame)));
  const pose = await networks.poseFeatures(seen);
  const [channels, height, width] = networks.frameShape;
  const dims = [1, channels, frames.length, height, width];
  const latents = { data: new Float32Array(channels * frames.length * height * width), dims };
  await networks.denoise('conditional', latents, scheduler.timesteps[0]!, pose);
  if (branches === 2) await networks.denoise('unconditional', latents, scheduler.timesteps[0]!, pose);
  releasePose(pose);
  const frame = { data: new Float32Array(channels * height * width), dims: [1, channels, 1, height, width] };
  await networks.decode([{ latents: frame, base: seen[0] }]);
}
