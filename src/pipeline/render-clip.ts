/** Renders a clip: denoising, and behind it, a few frames late, decoding, composing and encoding. */
import PQueue from 'p-queue';
import type { VideoWriter } from '../media/video-writer.ts';
import type { ClipCheckpoints } from './clip-checkpoints.ts';
import type { ClipNetworks, FrameToDecode } from './clip-networks.ts';
import { type ContextWindow, orderWindowSteps } from './context-windows.ts';
import { type DenoisedFrame, type Denoiser, denoiseClip } from './denoise-clip.ts';
import { fillBetween } from './key-frames.ts';
import type { Job } from './open-job.ts';
import type { RenderProgress } from './render-progress.ts';
import type { Scene } from './scene.ts';
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
  /** Where the denoiser runs. */
  readonly device: string;
  readonly checkpoints?: ClipCheckpoints | undefined;
  /** Waits for the denoiser and binds the reference; called when what can be done without it has begun. */
  readonly takeDenoiser?: (() => Promise<void>) | undefined;
  /** Called when the denoiser is not needed any more; decoding and encoding go on. */
  readonly onDenoised?: (() => void) | undefined;
}

/** The networks as {@link denoiseClip} calls them: each window with its own pose features. */
export function denoiserOf(
  networks: ClipNetworks,
  conditions: WindowConditions,
  windows: readonly ContextWindow[],
  watch: Stopwatch,
): Denoiser {
  const half =
    (name: 'conditional' | 'unconditional'): Denoiser['conditional'] =>
    async (latents, timestep, index) => {
      const pose = await conditions.pose(index, windows[index]!);
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
  const { options, bundle, sampling, keyFrames, windows } = job;
  const { signal } = options;
  const conditions = new WindowConditions(scene, networks, keyFrames, watch, signal);
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

  const steps = sampling.scheduler.timesteps.length;
  try {
    const resume = await checkpoints?.load({
      frames: keyFrames.length,
      windows: windows.length,
      steps,
      frameShape: networks.frameShape,
      device,
    });
    const stepsBefore = resume?.state.done ?? 0;
    let stepsLeft = windows.length * steps - stepsBefore;
    const first = firstWindow(windows, steps, stepsBefore);
    if (first !== undefined) conditions.prefetch(first, windows[first]);
    await parts.takeDenoiser?.();
    progress.begin(stepsBefore);
    if (stepsLeft === 0) onDenoised?.();

    const denoiser = denoiserOf(networks, conditions, windows, watch);
    let batch: DenoisedFrame[] = [];
    const denoised = denoiseClip({
      denoiser: {
        ...denoiser,
        conditional: (latents, timestep, index) => {
          const prediction = denoiser.conditional(latents, timestep, index);
          // Asked for after this window's own: made while the denoiser runs on this one.
          conditions.prefetch(index + 1, windows[index + 1]);
          return prediction;
        },
      },
      scheduler: sampling.scheduler,
      guidanceScale: sampling.halves === 2 ? sampling.guidance : 1,
      windows,
      frameShape: networks.frameShape,
      seed: options.seed,
      frameNumbers: keyFrames,
      sharedFraction: bundle.description.noise.sharedFraction,
      signal,
      onStep: (index, lastOfWindow) => {
        if (lastOfWindow) conditions.forgetPose(index);
        progress.stepDone();
        stepsLeft -= 1;
        if (stepsLeft === 0) onDenoised?.();
      },
      resume,
      onSavePoint: checkpoints && ((point) => checkpoints.save(point)),
    });
    for await (const frame of fillBetween(denoised, keyFrames)) {
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

/** The window that is denoised first when `done` steps of windows are done already. */
function firstWindow(windows: readonly ContextWindow[], steps: number, done: number): number | undefined {
  let place = 0;
  for (const { window } of orderWindowSteps(windows, steps)) if (place++ === done) return window;
  return undefined;
}
