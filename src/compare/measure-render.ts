/**
 * Renders a clip once with one variant, one stage after another, so that every stage's time is its own; hands the turn
 * on after every window's worth of denoising.
 */

import { type DenoisedFrame, type Denoiser, denoiseClip } from '../denoising/denoise-clip.ts';
import { fillBetween } from '../denoising/denoised-frames.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { ClipNetworks, FrameToDecode } from '../networks/clip-networks.ts';
import type { Job, Sampling } from '../pipeline/open-job.ts';
import { denoiserOf } from '../pipeline/render-clip.ts';
import { Stopwatch } from '../pipeline/stopwatch.ts';
import { WindowConditions } from '../pipeline/window-conditions.ts';
import type { Scene } from '../scene/scene.ts';
import { secondsSince } from './clock.ts';
import { PublishedNetworks } from './published-networks.ts';

/** What is rendered, and with what. */
export interface MeasureRenderOptions {
  readonly job: Job;
  readonly scene: Scene;
  readonly networks: ClipNetworks;
  readonly sampling: Sampling;
  /** Hands the turn on. */
  readonly pass: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  /** Called after every window's step. */
  readonly onStep?: () => void;
  /** Takes every frame, with its clean latents; not timed. */
  readonly onFrame?: (picture: RgbImage, latents: Float32Array) => Promise<void>;
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
  const { scheduler, branches, guidance } = sampling;
  const { denoisedFrames, windows, bundle } = job;
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
  const half = (name: 'conditional' | 'unconditional'): Denoiser['conditional'] => {
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
  const denoised = denoiseClip({
    denoiser: { conditional: half('conditional'), unconditional: half('unconditional') },
    scheduler,
    guidanceScale: branches === 2 ? guidance : 1,
    windows,
    frameShape: networks.frameShape,
    seed: job.options.seed,
    frameNumbers: denoisedFrames,
    sharedFraction: bundle.description.noise.sharedFraction,
    signal,
    onStep: (step) => {
      conditions.stepDone(step);
      steps += 1;
      onStep?.();
    },
  });

  const finish = async (batch: readonly DenoisedFrame[]): Promise<void> => {
    signal?.throwIfAborted();
    const taken: FrameToDecode[] = [];
    for (const { frame, latents } of batch) {
      taken.push({
        latents,
        conditions: networks.decodesOverBase ? await conditions.take(frame) : undefined,
      });
    }
    const decoded = await watch.time('decode', () => networks.decode(taken));
    for (const [i, { frame, latents }] of batch.entries()) {
      const picture = await watch.time('decode', () => scene.compose(frame, decoded[i]!));
      await onFrame?.(picture, latents.data);
    }
  };

  const frames = fillBetween(denoised, denoisedFrames);
  let batch: DenoisedFrame[] = [];
  let generating = 0;
  for (;;) {
    const begin = performance.now();
    const next = await frames.next();
    generating += secondsSince(begin);
    if (next.done) break;
    batch.push(next.value);
    if (batch.length === networks.decodeFrames) {
      await finish(batch);
      batch = [];
    }
  }
  if (batch.length > 0) await finish(batch);
  const { reference, pose, decode } = watch.report();
  return {
    reference,
    pose: pose + posesInRuns,
    decode,
    runs,
    denoise: generating - pose - posesInRuns - waiting,
  };
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
  const frame = { data: new Float32Array(channels * height * width), dims: [1, channels, 1, height, width] };
  await networks.decode([{ latents: frame, conditions: seen[0]! }]);
}
