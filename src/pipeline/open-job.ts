/** Opens and checks the inputs of a job: options, bundle, ffmpeg, portrait, sound. */
import os from 'node:os';
import path from 'node:path';
import { bundleStoreFolder } from '../bundles/bundle-store.ts';
import { checkLora } from '../bundles/lora-part.ts';
import { countWindowSteps } from '../denoising/context-windows.ts';
import { cacheFolder } from '../files/cache-folder.ts';
import { type FfmpegInfo, locateFfmpeg } from '../media/ffmpeg-path.ts';
import { prepareOutput } from '../media/prepare-output.ts';
import { frameCount } from '../media/video-writer.ts';
import { type Bundle, openBundle } from '../models/bundle.ts';
import { latentSize } from '../models/bundle-description.ts';
import { describeDenoisingUnet } from '../models/denoising-unet.ts';
import { posesByFrame } from '../models/pose-guider.ts';
import { sceneViewOf } from '../scene/scene.ts';
import type { AnimateOptions, PrecisionChoice } from './animate-options.ts';
import type { FrameThread, ThreadPortrait } from './frame-thread.ts';
import { disposeDriving, openMotionInputs } from './motion-inputs.ts';
import { keysWhere } from './options/clip-keys.ts';
import { type ResolvedOptions, resolveOptions } from './resolve-options.ts';
import { type PlannedFrames, planFrames, resolveSampling, type Sampling } from './resolve-sampling.ts';

/** All that is known before anything is rendered. */
export interface Job extends PlannedFrames {
  readonly options: ResolvedOptions;
  readonly output: string;
  readonly ffmpeg: FfmpegInfo;
  readonly bundle: Bundle;
  readonly sampling: Sampling;
  /** The file that is heard; undefined for a clip without sound. */
  readonly sound: string | undefined;
  /** Samples of the speech, at 16 kHz. */
  readonly samples: number;
  readonly fps: number;
  readonly frames: number;
}

/** Checks the caller's LoRAs before heavy work; nothing of the network is read. */
function checkLoras(
  { description }: Bundle,
  { loras = [] }: ResolvedOptions,
  precision: PrecisionChoice,
  notice: (message: string) => void,
): void {
  if (loras.length === 0) return;
  const { weights } = describeDenoisingUnet(description.denoisingUnet, {
    ...latentSize(description),
    frames: 1,
    reference: 'none',
    poseFeatures: true,
  });
  for (const { path: file } of loras) {
    for (const message of checkLora(file, weights).noticesFor(description)) notice(message);
  }
  if (precision === 'int8') {
    notice(
      'the ranges for int8 were measured without these LoRAs: activations that go beyond them are clipped; compare the picture with precision float32',
    );
  }
}

/** The folder of the user's bundles, as the environment says. */
export function defaultBundleStore(): string {
  return bundleStoreFolder({ env: process.env, platform: process.platform, home: os.homedir() });
}

/** The ffmpeg that is named, or the one that is found. */
export function findFfmpeg(ffmpegPath: string | undefined): Promise<FfmpegInfo> {
  return locateFfmpeg({ env: { ...process.env, ...(ffmpegPath ? { FFMPEG_PATH: ffmpegPath } : {}) } });
}

/** The folder of this program's caches, as the environment says. */
export function defaultCacheFolder(): string {
  return path.join(cacheFolder(process.env, process.platform, os.homedir()), 'weights');
}

/** A job with its inputs in memory. */
export interface OpenedJob {
  readonly job: Job;
  /** The caller's to dispose of. */
  readonly portrait: ThreadPortrait;
  /** Mono speech, 16 kHz. */
  readonly pcm: Float32Array;
}

/**
 * Opens and checks every input; nothing heavy happens before all of this is right.
 *
 * @param frameThread - called when the options are known to be right.
 * @param onPlanned - called when the frames are counted, while the face is being looked for.
 */
export async function openJob(
  options: AnimateOptions,
  frameThread: () => FrameThread,
  notice: (message: string) => void,
  onPlanned?: (job: Job) => void,
): Promise<OpenedJob> {
  const resolved = resolveOptions(options);
  const { portrait: picture, framing, signal } = resolved;
  const output = await prepareOutput(resolved.output, {
    force: resolved.overwrite,
    inputs: keysWhere(({ path }) => path?.to === 'input').flatMap((key) => (resolved[key] as string) ?? []),
  });
  const bundle = await openBundle(resolved.bundle, resolved.bundleStore ?? defaultBundleStore());
  const sampling = resolveSampling(bundle, resolved, notice);
  checkLoras(bundle, resolved, sampling.precision, notice);
  // The face is found while the sound is read; if both fail, the face is reported.
  const finding = frameThread().openPortrait({
    path: picture,
    resolution: bundle.description.resolution,
    framing,
    view: sceneViewOf(bundle.description),
    onNotice: notice,
    signal,
  });
  const stop = new AbortController();
  const plan = async () => {
    const ffmpeg = await findFfmpeg(resolved.ffmpegPath);
    const either = AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]);
    const inputs = await openMotionInputs(resolved, { ffmpeg, frameThread, signal: either, notice });
    const { pcm, duration, sound, driving } = inputs;
    const fps = resolved.fps ?? bundle.description.fps;
    const frames = frameCount(duration, fps);
    const planned = planFrames(bundle, resolved.preset, sampling, frames);
    const samples = pcm.length;
    const job = {
      options: resolved,
      output,
      ffmpeg,
      bundle,
      sampling,
      sound,
      samples,
      fps,
      frames,
      ...planned,
    };
    onPlanned?.(job);
    return { job, pcm, driving };
  };
  const planning = plan();
  planning.catch(() => {}); // awaited below
  const portrait = await finding.catch(async (error) => {
    stop.abort();
    await planning.then(
      ({ driving }) => disposeDriving(driving),
      () => {},
    );
    throw error;
  });
  try {
    const { job, pcm, driving } = await planning;
    portrait.drive(driving);
    return { job, pcm, portrait };
  } catch (error) {
    await portrait.dispose();
    throw error;
  }
}

/** Evaluations of the denoiser, guidance branches counted singly. */
export function countEvaluations({ windows, sampling }: Pick<Job, 'windows' | 'sampling'>): number {
  return countWindowSteps(windows) * sampling.branches;
}

/** Runs of the pose guider over a clip. */
export function countPoseRuns({
  bundle,
  denoisedFrames,
  windows,
}: Pick<Job, 'bundle' | 'denoisedFrames' | 'windows'>): number {
  if (posesByFrame(bundle.description.poseGuider)) {
    return Math.ceil(denoisedFrames.length / windows[0]![0]!.frames.length);
  }
  return countWindowSteps([...new Set(windows)]);
}
