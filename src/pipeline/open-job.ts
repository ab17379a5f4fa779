/** Opens and checks the inputs of a job: options, bundle, ffmpeg, picture, sound, face. */
import { FaceFinder } from '../face/face-finder.ts';
import { choosePortraitFace } from '../face/portrait-face.ts';
import { loadImage } from '../image/load-image.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { type FfmpegInfo, locateFfmpeg } from '../media/ffmpeg-path.ts';
import { prepareOutput } from '../media/prepare-output.ts';
import { type AudioClip, readAudio } from '../media/read-audio.ts';
import { frameCount } from '../media/video-writer.ts';
import { type Bundle, type BundlePreset, openBundle } from '../models/bundle.ts';
import type { Engine } from '../runtime/engine.ts';
import { createScheduler } from '../schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../schedulers/noise-schedule.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { AnimateOptions, SamplerName } from './animate-options.ts';
import { type ContextWindow, planContextWindows } from './context-windows.ts';
import { AnimatedPortrait } from './portrait.ts';
import { type ResolvedOptions, resolveOptions } from './resolve-options.ts';

/** Larger pictures are made smaller first: players and encoders are made for up to Full HD. */
const MAX_VIDEO_SIDE = 1920;
/** Sampler settings after the preset and the caller's choices. */
export interface Sampling {
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidance: number;
  readonly loras: BundlePreset['loras'];
  readonly scheduler: Scheduler;
}

/** All that is known before anything is rendered. */
export interface Job {
  readonly options: ResolvedOptions;
  readonly output: string;
  readonly ffmpeg: FfmpegInfo;
  readonly bundle: Bundle;
  readonly sampling: Sampling;
  readonly audio: AudioClip;
  readonly image: RgbImage;
  readonly fps: number;
  readonly frames: number;
  readonly windows: readonly ContextWindow[];
}

function chooseSampling(bundle: Bundle, options: ResolvedOptions): Sampling {
  const { presets, schedule } = bundle.description;
  const preset = presets[options.preset];
  const sampler = options.sampler ?? preset.sampler;
  const steps = options.steps ?? preset.steps;
  const guidance = options.guidance ?? preset.guidance;
  const scheduler = createScheduler({
    sampler,
    numInferenceSteps: steps,
    noiseSchedule: createNoiseSchedule(schedule),
    predictionType: schedule.predictionType,
    timestepSpacing: schedule.timestepSpacing,
  });
  return { sampler, steps, guidance, loras: preset.loras, scheduler };
}

/** Makes a picture fit for video: at most Full HD, and not one pixel wide. */
function fitForVideo(image: RgbImage, notice: (message: string) => void): RgbImage {
  const longest = Math.max(image.width, image.height);
  if (longest <= MAX_VIDEO_SIDE) return image;
  const scale = MAX_VIDEO_SIDE / longest;
  const width = Math.max(2, Math.round(image.width * scale));
  const height = Math.max(2, Math.round(image.height * scale));
  notice(`the portrait has ${image.width}×${image.height} pixels: the video will have ${width}×${height}`);
  return resizeImage(image, width, height, 'area');
}

/** Opens and checks every input; nothing heavy happens before all of this is right. */
export async function openJob(options: AnimateOptions, notice: (message: string) => void): Promise<Job> {
  const resolved = resolveOptions(options);
  const { portrait, audio, signal } = resolved;
  const output = await prepareOutput(resolved.output, {
    force: resolved.overwrite,
    inputs: [portrait, audio],
  });
  const bundle = await openBundle(resolved.bundle);
  const sampling = chooseSampling(bundle, resolved);
  const env = { ...process.env, ...(resolved.ffmpegPath ? { FFMPEG_PATH: resolved.ffmpegPath } : {}) };
  const ffmpeg = await locateFfmpeg({ env });
  signal?.throwIfAborted();
  const image = fitForVideo(await loadImage(portrait, { onNotice: notice }), notice);
  const clip = await readAudio(audio, { ffmpeg, signal, onNotice: notice });
  const fps = resolved.fps ?? bundle.description.fps;
  const frames = frameCount(clip.duration, fps);
  const { contextFrames, contextOverlap } = bundle.description;
  const windows = planContextWindows(frames, { contextFrames, contextOverlap });
  return { options: resolved, output, ffmpeg, bundle, sampling, audio: clip, image, fps, frames, windows };
}

/** Finds the face and prepares its warps. */
export async function openPortrait(
  job: Job,
  engine: Engine,
  notice: (message: string) => void,
): Promise<AnimatedPortrait> {
  const { image, options, bundle } = job;
  const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
  try {
    const faces = await finder.find(image);
    const face = choosePortraitFace(image, faces, { path: options.portrait, onNotice: notice });
    return await AnimatedPortrait.create({
      image,
      face,
      resolution: bundle.description.resolution,
      framing: options.framing,
    });
  } finally {
    await finder.dispose();
  }
}

/** Evaluations of the denoiser, guidance halves counted singly. */
export function countEvaluations({ windows, sampling }: Job): number {
  return windows.length * sampling.scheduler.timesteps.length * (sampling.guidance > 1 ? 2 : 1);
}
