/** Renders a clip: denoising, and behind it, a few frames late, decoding, composing and encoding. */
import PQueue from 'p-queue';
import {
  type ContextWindow,
  countWindowSteps,
  orderWindowSteps,
  type WindowStep,
} from '../denoising/context-windows.ts';
import { type DenoisedFrame, type Denoiser, denoiseClip } from '../denoising/denoise-clip.ts';
import { fillBetween } from '../denoising/denoised-frames.ts';
import type { VideoWriter } from '../media/video-writer.ts';
import type { ClipNetworks, FrameToDecode } from '../networks/clip-networks.ts';
import type { Scene } from '../scene/scene.ts';
import type { ClipCheckpoints } from './clip-checkpoints.ts';
import type { Job } from './open-job.ts';
import type { RenderProgress } from './render-progress.ts';
import type { Stopwatch } from './stopwatch.ts';
import { WindowConditions } from './window-conditions.ts';

/** Decoded batches that may wait for the encoder before denoising pauses. */
const MAX_WAITING_BATCHES = 2;

/** What takes part in rendering; all of it stays the caller's to dispose of. */
export interface ClipParts {
  readonly job: Job;
  readonly scene: Scene;
  /** With the scene's reference bound, unless `takeDenoiser` does that. */
  readonly networks: ClipNetworks;
  readonly writer: VideoWriter;
  readonly progress: RenderProgress;
  readonly watch: Stopwatch;
  /** Where the denoiser runs, and how: what was saved in between on another is of no use. */
  readonly device: string;
  readonly checkpoints?: ClipCheckpoints | undefined;
  /** Waits for the denoiser and binds the reference; called when what can be done without it has begun. */
  readonly takeDenoiser?: (() => Promise<void>) | undefined;
  /** Called when the denoiser is not needed any more; decoding and encoding go on. */
  readonly onDenoised?: (() => void) | undefined;
}

/** The networks as {@link denoiseClip} calls them: each window with its own pose features. */
export function denoiserOf(networks: ClipNetworks, conditions: WindowConditions, watch: Stopwatch): Denoiser {
  const half =
    (name: 'conditional' | 'unconditional'): Denoiser['conditional'] =>
    async (latents, timestep, window) => {
      const pose = await conditions.pose(window);
      return watch.time('denoise', () => networks.denoise(name, latents, timestep, pose));
    };
  return { conditional: half('conditional'), unconditional: half('unconditional') };
}

/**
 * Everything between noise and the encoder's input.
 *
 * @throws {@link NumericalError} if the denoiser's output is not finite.
 * @throws {@link SubprocessError} if the encoder fails.
 */
export async function renderClip(parts: ClipParts): Promise<void> {
  const { job, scene, networks, writer, progress, watch, device, checkpoints, onDenoised } = parts;
  const { options, bundle, sampling, denoisedFrames, windows } = job;
  const { signal } = options;
  const conditions = new WindowConditions({ scene, networks, denoisedFrames, windows, watch, signal });
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
    await composed;
    composed = compose(batch, decoded);
    composed.catch(() => {}); // whoever waits for it is told
  };
  // One batch is composed and encoded while the next is decoded.
  let composed = Promise.resolve();
  const compose = async (
    batch: readonly DenoisedFrame[],
    decoded: readonly Float32Array[],
  ): Promise<void> => {
    for (const [i, { frame }] of batch.entries()) {
      signal?.throwIfAborted();
      const picture = await watch.time('decode', () => scene.compose(frame, decoded[i]!));
      await watch.time('encode', () => writer.write(picture));
      progress.frameDone();
    }
  };

  // One batch after another, while the denoiser goes on; a failure there stops the denoiser here.
  const queue = new PQueue({ concurrency: 1 });
  let failure: { readonly error: unknown } | undefined;
  const hand = async (batch: readonly DenoisedFrame[]): Promise<void> => {
    queue
      .add(() => finish(batch))
      .catch((error: unknown) => {
        failure ??= { error };
      });
    await queue.onSizeLessThan(MAX_WAITING_BATCHES);
    if (failure !== undefined) throw failure.error;
  };

  try {
    const resume = await checkpoints?.load({
      frames: denoisedFrames.length,
      windows: windows.at(-1)!.length,
      steps: windows.length,
      frameShape: networks.frameShape,
      device,
    });
    const stepsBefore = resume?.state.done ?? 0;
    let stepsLeft = countWindowSteps(windows) - stepsBefore;
    const order = [...orderWindowSteps(windows)];
    let place = stepsBefore;
    conditions.prefetch(order[place]?.window);
    await parts.takeDenoiser?.();
    progress.begin(stepsBefore);
    if (stepsLeft === 0) onDenoised?.();

    const denoiser = denoiserOf(networks, conditions, watch);
    let batch: DenoisedFrame[] = [];
    const denoised = denoiseClip({
      denoiser: {
        ...denoiser,
        conditional: (latents, timestep, window) => {
          const prediction = denoiser.conditional(latents, timestep, window);
          // Asked for after this window's own: made while the denoiser runs on this one.
          place += 1;
          conditions.prefetch(order[place]?.window);
          conditions.prefetch(nextBegun(order, place, windows.length));
          return prediction;
        },
      },
      scheduler: sampling.scheduler,
      guidanceScale: sampling.branches === 2 ? sampling.guidance : 1,
      windows,
      frameShape: networks.frameShape,
      seed: options.seed,
      frameNumbers: denoisedFrames,
      sharedFraction: bundle.description.noise.sharedFraction,
      signal,
      onStep: (step) => {
        conditions.stepDone(step);
        progress.stepDone();
        stepsLeft -= 1;
        if (stepsLeft === 0) onDenoised?.();
      },
      resume,
      onSavePoint: checkpoints && ((point) => checkpoints.save(point)),
    });
    for await (const frame of fillBetween(denoised, denoisedFrames)) {
      batch.push(frame);
      if (batch.length === networks.decodeFrames) {
        await hand(batch);
        batch = [];
      }
    }
    if (batch.length > 0) await hand(batch);
    await queue.onIdle();
    if (failure !== undefined) throw failure.error;
    await composed;
  } finally {
    queue.clear();
    await queue.onIdle();
    await Promise.allSettled([composed]);
    await conditions.settle();
  }
}

/** The next window that takes its first step; its frames have been seen least. */
function nextBegun(order: readonly WindowStep[], from: number, steps: number): ContextWindow | undefined {
  // Between two of them, others take their steps, each window's worth of which is as long as there are steps.
  return order.slice(from, from + 2 * steps).find(({ stepIndex }) => stepIndex === 0)?.window;
}
