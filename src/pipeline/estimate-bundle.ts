/** What a clip takes with a bundle, before there is a portrait or a sound. */
import type { Bundle } from '../models/bundle.ts';
import { pictureSizeOf } from '../models/bundle-description.ts';
import type { PresetName } from '../models/bundle-terms.ts';
import { devicePrecision } from '../networks/check-precision.ts';
import type { Engine } from '../runtime/engine.ts';
import { estimateJob } from './estimate-job.ts';
import { countDenoisers } from './job-networks.ts';
import { countDecoded, countEvaluations, countPoseRuns } from './open-job.ts';
import { resolveSampling } from './resolve-sampling.ts';

/** An estimate for a clip of so many frames. */
export interface BundleEstimate {
  readonly preset: PresetName;
  readonly frames: number;
  readonly fps: number;
  readonly seconds: number;
  readonly memoryBytes: number;
  /** Where other programs take so much of the machine that the time says little about the clip. */
  readonly busy?: string;
}

const SAMPLE_RATE = 16_000;

/** Estimates a second of speech on a picture as large as the networks see it, with a bundle's fastest preset of full precision. */
export async function estimateBundle(bundle: Bundle, engine: Engine): Promise<BundleEstimate> {
  const { presets, fps } = bundle.description;
  const { height, width } = pictureSizeOf(bundle.description);
  const preset: PresetName = presets.fast === undefined ? 'original' : 'fast';
  const sampling = resolveSampling(bundle, { preset }, () => {});
  const frames = Math.round(fps);
  const planned = sampling.planFrames(frames);
  const job = { bundle, sampling, ...planned };
  const { seconds, memoryBytes, busy } = await estimateJob({
    bundle,
    engine,
    windowFrames: planned.windows[0]![0]!.frames.length,
    poseRuns: countPoseRuns(job),
    evaluations: countEvaluations(job),
    precision: devicePrecision(sampling.precision, {}, engine, () => {}),
    frames,
    decodedFrames: countDecoded({ ...job, frames }),
    denoisers: countDenoisers(job, engine),
    pixels: height * width,
    audioSamples: SAMPLE_RATE,
  });
  return { preset, frames, fps, seconds, memoryBytes, ...(busy !== undefined && { busy }) };
}
