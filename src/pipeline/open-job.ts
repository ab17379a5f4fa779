/** Opens and checks the inputs of a job: options, bundle, ffmpeg, portrait, sound. */
import path from 'node:path';
import { checkLoras } from '../bundles/check-loras.ts';
import { countWindowSteps } from '../denoising/context-windows.ts';
import type { PlannedFrames } from '../denoising/plan-frames.ts';
import { InvalidOptionError } from '../errors.ts';
import type { FfmpegInfo } from '../media/ffmpeg-path.ts';
import { chooseEncoders, outputFormatOf } from '../media/output-formats.ts';
import { prepareOutput } from '../media/prepare-output.ts';
import type { SoundTrack } from '../media/sound-track.ts';
import { frameCount } from '../media/video-writer.ts';
import { type Bundle, bundleState } from '../models/bundle.ts';
import { atResolution } from '../models/bundle-size.ts';
import { posesByFrame } from '../models/pose-guider.ts';
import type { RequestProgress } from '../runtime/thread-client.ts';
import { isTransparent } from '../scene/background-words.ts';
import { sceneViewOf } from '../scene/scene.ts';
import type { AnimateOptions } from './animate-options.ts';
import type { FrameThread, ThreadPortrait } from './frame-thread.ts';
import { type FoundFfmpegs, openNamedBundle } from './machine-places.ts';
import { disposeDriving, type MotionInputs, openMotionInputs } from './motion-inputs.ts';
import { keysWhere } from './options/clip-keys.ts';
import { portraitRequest } from './portrait-request.ts';
import { describeTracking } from './progress.ts';
import { type ResolvedOptions, resolveOptions } from './resolve-options.ts';
import { resolveSampling, type Sampling } from './resolve-sampling.ts';

/** All that is known before anything is rendered. */
export interface Job extends PlannedFrames {
  readonly options: ResolvedOptions;
  readonly output: string;
  readonly ffmpeg: FfmpegInfo;
  readonly bundle: Bundle;
  readonly sampling: Sampling;
  /** What is heard; undefined for a clip without sound. */
  readonly sound: SoundTrack | undefined;
  /** Samples of the speech, at 16 kHz. */
  readonly samples: number;
  readonly fps: number;
  readonly frames: number;
}

/** A job with its inputs in memory. */
export interface OpenedJob {
  readonly job: Job;
  /** The caller's to dispose of. */
  readonly portrait: ThreadPortrait;
  /** Mono speech, 16 kHz. */
  readonly pcm: Float32Array;
}

/** What opening takes from the studio that its clips share. */
export interface OpenResources {
  /** Called when the options are known to be right. */
  frameThread(): FrameThread;
  readonly ffmpegs: Pick<FoundFfmpegs, 'find'>;
}

/**
 * Opens and checks every input; nothing heavy happens before all of this is right.
 *
 * @param onPlanned - called when the frames are counted, while the face is being looked for.
 */
export async function openJob(
  options: AnimateOptions,
  studio: OpenResources,
  onPlanned?: (job: Job) => void,
): Promise<OpenedJob> {
  const notice = (message: string): void => options.onProgress?.({ type: 'notice', message });
  const resolved = resolveOptions(options);
  const output = await prepareOutput(resolved.output, {
    force: resolved.overwrite,
    inputs: keysWhere(({ path }) => path?.to === 'input').flatMap((key) => (resolved[key] as string) ?? []),
  });
  const bundle = atResolution(await openNamedBundle(resolved), resolved.resolution);
  const sampling = resolveSampling(bundle, resolved, notice);
  checkLoras(bundle, { loras: resolved.loras, precision: sampling.precision }, notice);
  const { label, place } = outputFormatOf(output);
  const folder = place === 'stream' ? undefined : path.dirname(output);
  const ffmpeg = await studio.ffmpegs.find(resolved.ffmpegPath, { folder, signal: resolved.signal });
  const { audio: soundEncoder } = chooseEncoders(resolved.output, ffmpeg, isTransparent(resolved));
  const plan = ({ pcm, duration, sound }: MotionInputs, fps: number): Job => {
    const frames = frameCount(duration, fps);
    const planned = sampling.planFrames(frames);
    const samples = pcm.length;
    const heard = soundEncoder === undefined ? undefined : sound;
    if (sound !== undefined && heard === undefined) {
      notice(`${resolved.output} is ${label}`);
    }
    const found = { ffmpeg, bundle, sampling, sound: heard, samples, fps, frames };
    const job = { options: resolved, output, ...found, ...planned };
    onPlanned?.(job);
    return job;
  };
  const tracking = (film: string, progress: RequestProgress): void =>
    resolved.onProgress?.(describeTracking(film, progress));
  const frameThread = (): FrameThread => studio.frameThread();
  const opening = { resolved, bundle, plan, notice, tracking, frameThread, ffmpeg };
  return resolved.source === undefined ? openStill(opening) : openSource(opening, resolved.source);
}

/** What opening takes that is the same for stills and films. */
interface Opening {
  readonly resolved: ResolvedOptions;
  readonly bundle: Bundle;
  readonly plan: (inputs: MotionInputs, fps: number) => Job;
  readonly notice: (message: string) => void;
  readonly tracking: (film: string, progress: RequestProgress) => void;
  readonly frameThread: () => FrameThread;
  readonly ffmpeg: FfmpegInfo;
}

/** The face is found while the sound is read; if both fail, the face is reported. */
async function openStill(opening: Opening): Promise<OpenedJob> {
  const { resolved, bundle, plan, notice, tracking, frameThread, ffmpeg } = opening;
  const { signal, poseVideo } = resolved;
  const request = portraitRequest(bundle, resolved);
  if (poseVideo !== undefined && request.view.type !== 'drawing') throw seesNoDrawings(bundle, poseVideo);
  const finding = frameThread().openPortrait({ ...request, onNotice: notice });
  const isDriven = [resolved.driving, resolved.motion, poseVideo].some((input) => input !== undefined);
  if (!isDriven) frameThread().openMotion(bundleState(bundle), resolved.lowMemory);
  const stop = new AbortController();
  const either = AbortSignal.any([stop.signal, ...(signal ? [signal] : [])]);
  const reading = { ffmpeg, frameThread, signal: either, notice, tracking };
  const planning = openMotionInputs(resolved, reading).then((inputs) => ({
    ...inputs,
    job: plan(inputs, resolved.fps ?? inputs.fps ?? bundle.description.fps),
  }));
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

function seesNoDrawings({ description }: Bundle, poseVideo: string): InvalidOptionError {
  return new InvalidOptionError(
    {
      expected: 'a bundle whose networks look at drawn landmarks, as those of AniPortrait do',
      got: `${description.name}, which needs the points themselves; use the film that they were drawn from, or its motion file`,
    },
    'poseVideo',
    poseVideo,
  );
}

/** Seconds of film beyond the sound's end that are looked at: the last frame begins before and ends after it. */
const FILM_MARGIN = 0.5;

/** The sound says how much of the film is needed, and the film how many frames a second there are. */
async function openSource(opening: Opening, source: string): Promise<OpenedJob> {
  const { resolved, bundle, plan, notice, tracking, frameThread, ffmpeg } = opening;
  const { fps, drivingFace: face } = resolved;
  const signal = resolved.signal ?? new AbortController().signal;
  const inputs = await openMotionInputs(resolved, { ffmpeg, frameThread, signal, notice, tracking });
  const film = await frameThread().openFilm({
    path: source,
    ffmpeg,
    fps,
    face,
    duration: inputs.duration + FILM_MARGIN,
    resolution: bundle.description.resolution,
    view: sceneViewOf(bundle.description),
    onNotice: notice,
    onProgress: (progress) => tracking(source, progress),
    signal,
  });
  try {
    const job = plan(inputs, film.info.fps);
    if (job.frames > film.info.frames) {
      const length = seconds(film.info.frames / film.info.fps);
      notice(
        `${source} has ${length} and the speech ${seconds(inputs.duration)}: the film is shown back and forth`,
      );
    }
    return { job, pcm: inputs.pcm, portrait: film };
  } catch (error) {
    await film.dispose();
    throw error;
  }
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}

/** Evaluations of the denoiser, guidance branches counted singly. */
export function countEvaluations({ windows, sampling }: Pick<Job, 'windows' | 'sampling'>): number {
  return countWindowSteps(windows) * sampling.branches;
}

/** Runs of the pose guider over a clip, as estimates count them: of a window's frames each, though small bundles take fewer at a time. */
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

/** Frames that are decoded: those that were denoised where the others are blended of what is decoded, see `decode-frames.ts`; else all. */
export function countDecoded({
  bundle,
  denoisedFrames,
  frames,
}: Pick<Job, 'bundle' | 'denoisedFrames' | 'frames'>): number {
  return bundle.description.codec.type === 'patch-transform' ? denoisedFrames.length : frames;
}
