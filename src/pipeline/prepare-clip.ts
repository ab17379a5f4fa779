/** Gets a clip ready to be rendered: inputs checked, face found, motion made. */

import { bundleState } from '../models/bundle.ts';
import { devicePrecision } from '../networks/check-precision.ts';
import type { NetworksChoice } from '../networks/load-options.ts';
import type { NetworksLease } from '../networks/networks-cache.ts';
import type { Engine } from '../runtime/engine.ts';
import type { NamedSpan } from '../runtime/time-span.ts';
import type { Scene } from '../scene/scene.ts';
import type { AnimateOptions, ProgressEvent } from './animate-options.ts';
import type { ThreadPortrait } from './frame-thread.ts';
import { checkMemory, memorySizeOf } from './job-memory.ts';
import type { Job, OpenedJob } from './open-job.ts';
import { Stopwatch } from './stopwatch.ts';

/** Options of one clip; where it runs is the studio's. */
export type ClipOptions = Omit<AnimateOptions, 'device' | 'threads'>;

/** A clip that is ready to be rendered, once or more often; dispose of it after use. */
export interface PreparedClip {
  readonly job: Job;
  readonly scene: Scene;
  /** Stands still between preparing and rendering. */
  readonly watch: Stopwatch;
  /** Frees what is held of the clip; may be called twice. */
  dispose(): Promise<void>;
}

/** What preparing takes from the studio that its clips share. */
export interface PrepareResources {
  /** Whether no networks are loaded or being loaded. */
  readonly holdsNoNetworks: boolean;
  /** Receives every piece of the clip's stages when it has ended. */
  readonly onStage?: ((span: NamedSpan) => void) | undefined;
  openJob(options: ClipOptions, onPlanned?: (job: Job) => void): Promise<OpenedJob>;
  denoisingEngine(): Promise<Engine>;
  loadNetworks(choice: NetworksChoice, signal?: AbortSignal): Promise<NetworksLease>;
  /** Whether this notice about the machine has not been given yet: it is the same for all clips. */
  isNews(message: string): boolean;
}

/**
 * Checks all inputs before anything heavy, then makes the motion.
 *
 * @param networks - those that the clip will be rendered with, if they are known before: they are loaded in the meantime
 *   where no others are.
 * @throws what `animate` throws before it renders.
 */
export async function prepareClip(
  options: ClipOptions,
  studio: PrepareResources,
  networks?: (job: Job) => NetworksChoice,
): Promise<PreparedClip> {
  const { signal } = options;
  const report = (event: ProgressEvent): void => options.onProgress?.(event);
  const notice = (message: string): void => {
    if (studio.isNews(message)) report({ type: 'notice', message });
  };
  signal?.throwIfAborted();
  const watch = new Stopwatch(studio.onStage);
  // Networks that are loaded ahead are of no use to a clip that cannot be prepared.
  const stop = new AbortController();
  const either = AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]);
  const first = studio.holdsNoNetworks;
  const checkRoom = async (job: Job, pixels: number): Promise<void> => {
    // Others that hold memory now may have given it back when this clip's turn has come.
    if (first) checkMemory(memorySizeOf(job, await studio.denoisingEngine(), pixels));
  };
  const loadAhead = (job: Job): void => {
    if (networks === undefined || !first) return;
    checkRoom(job, 0)
      .then(() => withDevicePrecision(job, studio, () => {}))
      .then((ready) => studio.loadNetworks(networks(ready), either))
      .then((lease) => lease.release())
      .catch(() => {}); // thrown again when the rendering loads them
  };
  let portrait: ThreadPortrait | undefined;
  try {
    report({ type: 'stage', stage: 'prepare' });
    const { job, pcm } = await watch.time('prepare', async () => {
      const opened = await studio.openJob(options, loadAhead);
      portrait = opened.portrait;
      const { info } = opened.portrait;
      await checkRoom(opened.job, info.width * info.height);
      // A device that does not work, or not in this precision, is reported before the motion is made.
      return { pcm: opened.pcm, job: await withDevicePrecision(opened.job, studio, notice) };
    });
    report({ type: 'stage', stage: 'motion' });
    const { fps, frames } = job;
    const { seed, expressionScale, mouthScale, headPoseScale, blinkScale, still } = job.options;
    const { style, emotion, faceMotion, idle, loop, lowMemory } = job.options;
    const kind = { speaks: idle === undefined, loops: loop === true || idle !== undefined };
    const scales = {
      seed,
      expressionScale,
      mouthScale,
      headPoseScale,
      blinkScale,
      still,
      style,
      emotion,
      faceMotion,
    };
    const opened = portrait!;
    const scene = await watch.time('motion', () =>
      opened.move(
        {
          bundle: bundleState(job.bundle),
          pcm,
          fps,
          frames,
          scales,
          ...kind,
          lowMemory,
        },
        signal,
      ),
    );
    watch.pause();
    return { job, scene, watch, dispose: () => opened.dispose() };
  } catch (error) {
    stop.abort();
    await portrait?.dispose();
    throw error;
  }
}

/** The job in the precision that it gets on the studio's device. */
async function withDevicePrecision(
  job: Job,
  studio: PrepareResources,
  notice: (message: string) => void,
): Promise<Job> {
  const { options, sampling } = job;
  const precision = devicePrecision(sampling.precision, options, await studio.denoisingEngine(), notice);
  return { ...job, sampling: { ...sampling, precision } };
}
