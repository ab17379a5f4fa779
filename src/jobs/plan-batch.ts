/** Tells what a batch would do and take, without doing it. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { PipelineError } from '../errors.ts';
import { outputFormatOf } from '../media/output-formats.ts';
import { readAudio } from '../media/read-audio.ts';
import { frameCount } from '../media/video-writer.ts';
import { latentSize } from '../models/bundle-description.ts';
import { devicePrecision } from '../networks/check-precision.ts';
import { estimateJob, type JobSize, START_SECONDS } from '../pipeline/estimate-job.ts';
import { countDecoded, countEvaluations, countPoseRuns, type Job } from '../pipeline/open-job.ts';
import { Studio } from '../pipeline/studio.ts';
import type { RunBatchOptions } from './batch-options.ts';
import { checkpointBytes } from './checkpoint-store.ts';
import { contentKey, FileHashes } from './content-key.ts';
import { JobFolder } from './job-folder.ts';
import { type BatchJob, loadManifest } from './manifest.ts';
import type { BatchManifest } from './manifest-schema.ts';
import { placesOf } from './run-batch.ts';

/** Of H.264 at the quality that is written, and AAC; measured on the sample portraits. */
const VIDEO_BYTES_PER_PIXEL = 0.01;
const AUDIO_BYTES_PER_SECOND = 20_000;
/** Clips that have checkpoints at one moment: one is denoised, the one before it may still be completed. */
const CLIPS_WITH_CHECKPOINTS = 2;

/** One job of a plan. */
export interface PlannedJob {
  readonly index: number;
  readonly name: string;
  readonly output: string;
  /** `done`: a run would leave it as it is. `problem`: a run would fail. */
  readonly state: 'done' | 'left' | 'problem';
  readonly problem?: string;
  readonly frames?: number;
  /** Seconds of video. */
  readonly duration?: number;
  /** Seconds that it takes here once the program has begun, for jobs that are left. */
  readonly estimatedSeconds?: number;
}

/** What {@link planBatch} finds. */
export interface BatchPlan {
  readonly manifest: string;
  readonly jobs: readonly PlannedJob[];
  /** Of the jobs that are left. */
  readonly frames: number;
  readonly estimatedSeconds: number;
  /** Bytes of the videos that are left to make. */
  readonly outputBytes: number;
  /** Bytes of checkpoints at most at one moment. */
  readonly checkpointBytes: number;
  readonly device: string;
  readonly notices: readonly string[];
}

/**
 * Checks a manifest and all its inputs, faces included, and estimates time and disk. Writes nothing.
 *
 * @throws {@link ManifestError} if the manifest is wrong.
 */
export async function planBatch(
  manifest: string | BatchManifest,
  options: PlanBatchOptions = {},
): Promise<BatchPlan> {
  const checked = await loadManifest(manifest, options);
  const { jobs, stateFolder } = placesOf(checked, options);
  const notices = [...checked.notices];
  const { device, threads, signal, onPlanned } = options;
  const studio = new Studio({
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
    onNotice: (message) => notices.push(message),
  });
  try {
    const planner = new Planner(studio, stateFolder, signal);
    const planned: PlannedJob[] = [];
    for (const job of jobs) {
      signal?.throwIfAborted();
      onPlanned?.(planned.length, jobs.length);
      planned.push(await planner.plan(job));
    }
    onPlanned?.(planned.length, jobs.length);
    const left = planned.filter(({ state }) => state === 'left');
    const sum = (of: (job: PlannedJob) => number) => left.reduce((total, job) => total + of(job), 0);
    const lanes = options.concurrency ?? 1;
    const largest = planner.checkpointSizes.sort((a, b) => b - a).slice(0, lanes * CLIPS_WITH_CHECKPOINTS);
    return {
      manifest: checked.name,
      jobs: planned,
      frames: sum(({ frames = 0 }) => frames),
      estimatedSeconds:
        (left.length > 0 ? START_SECONDS : 0) + sum(({ estimatedSeconds = 0 }) => estimatedSeconds),
      outputBytes: planner.outputBytes,
      checkpointBytes: largest.reduce((total, bytes) => total + bytes, 0),
      device: (await studio.denoisingEngine()).device,
      notices,
    };
  } finally {
    await studio.dispose();
  }
}

/** Options of {@link planBatch}. */
export interface PlanBatchOptions extends RunBatchOptions {
  /** Called before each job is looked at, and after the last. */
  readonly onPlanned?: ((done: number, total: number) => void) | undefined;
}

/** A portrait that was looked at, with a job that it belongs to. */
interface SeenPortrait {
  readonly job: Job;
  readonly pixels: number;
}

/** Looks at each file once. */
class Planner {
  readonly checkpointSizes: number[] = [];
  outputBytes = 0;
  readonly #studio: Studio;
  readonly #stateFolder: string;
  readonly #signal: AbortSignal | undefined;
  readonly #hashes = new FileHashes();
  readonly #portraits = new Map<string, SeenPortrait>();
  readonly #durations = new Map<string, number>();
  readonly #estimates = new Map<string, number>();

  constructor(studio: Studio, stateFolder: string, signal: AbortSignal | undefined) {
    this.#studio = studio;
    this.#stateFolder = stateFolder;
    this.#signal = signal;
  }

  async plan(job: BatchJob): Promise<PlannedJob> {
    const { index, name, options } = job;
    const { output } = options;
    try {
      const key = await contentKey(options, this.#hashes);
      const found = await (await JobFolder.of(this.#stateFolder, output)).outputState(key);
      if (found.kind === 'done') {
        const { frames, fps } = found.record.summary;
        return { index, name, output, state: 'done', frames, duration: frames / fps };
      }
      if (found.kind === 'foreign' && options.overwrite !== true) {
        const problem = 'the output is a file that this batch did not make, or that was changed since';
        return { index, name, output, state: 'problem', problem };
      }
      return { index, name, output, state: 'left', ...(await this.#size(job)) };
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      return { index, name, output, state: 'problem', problem: error.message };
    }
  }

  async #size({ options }: BatchJob) {
    const { job, pixels } = await this.#portrait(options);
    const { bundle, sampling } = job;
    const fps = options.fps ?? bundle.description.fps;
    const frames =
      options.audio === undefined
        ? job.frames
        : frameCount(await this.#duration(options.audio, options.audioTrack, job), fps);
    const { denoisedFrames, windows } = sampling.planFrames(frames);
    const windowFrames = windows[0]![0]!.frames.length;
    const evaluations = countEvaluations({ windows, sampling });
    const poseRuns = countPoseRuns({ bundle, denoisedFrames, windows });
    const engine = await this.#studio.denoisingEngine();
    const precision = devicePrecision(sampling.precision, options, engine, () => {});
    const decodedFrames = countDecoded({ bundle, denoisedFrames, frames });
    const size = { bundle, windowFrames, poseRuns, evaluations, precision, frames, decodedFrames, pixels };
    const estimatedSeconds = await this.#estimate(size);
    const duration = frames / fps;
    this.outputBytes += frames * pixels * VIDEO_BYTES_PER_PIXEL + duration * AUDIO_BYTES_PER_SECOND;
    const { height, width } = latentSize(bundle.description);
    const frameValues = bundle.description.codec.latentChannels * height * width;
    this.checkpointSizes.push(
      checkpointBytes({
        frames: denoisedFrames.length,
        windows: windows.at(-1)!.length,
        windowFrames,
        steps: windows.length,
        frameValues,
      }),
    );
    return { frames, duration, estimatedSeconds };
  }

  /** Finds the face of a portrait, and what else depends on it; speech is read once more for each recording only. */
  async #portrait(options: BatchJob['options']): Promise<SeenPortrait> {
    const { audio: _, output: __, seed: ___, ...rest } = options;
    const key = JSON.stringify(rest);
    const known = this.#portraits.get(key);
    if (known !== undefined) return known;
    const { job, portrait } = await this.#studio.openJob({
      ...options,
      // The run makes the folders that are not there yet.
      output: path.join(
        await existingFolder(path.dirname(options.output)),
        `plan${outputFormatOf(options.output).endings[0]}`,
      ),
      overwrite: true,
      ...(this.#signal && { signal: this.#signal }),
    });
    const { width, height } = portrait.info;
    await portrait.dispose();
    const seen = { job, pixels: width * height };
    this.#portraits.set(key, seen);
    return seen;
  }

  async #duration(audio: string, track: number | undefined, { ffmpeg }: Job): Promise<number> {
    const key = `${track ?? ''}:${audio}`;
    let duration = this.#durations.get(key);
    if (duration === undefined) {
      duration = (await readAudio(audio, { ffmpeg, track, signal: this.#signal })).duration;
      this.#durations.set(key, duration);
    }
    return duration;
  }

  async #estimate(size: Omit<JobSize, 'engine' | 'audioSamples'>): Promise<number> {
    const { bundle, ...others } = size;
    const key = JSON.stringify([bundle.folder, others]);
    let seconds = this.#estimates.get(key);
    if (seconds === undefined) {
      const engine = await this.#studio.denoisingEngine();
      ({ seconds } = await estimateJob({ ...size, engine, audioSamples: 0, started: true }));
      this.#estimates.set(key, seconds);
    }
    return seconds;
  }
}

/** The folder, or else the nearest above it that is there. */
async function existingFolder(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  const above = path.dirname(folder);
  return isThere || above === folder ? folder : existingFolder(above);
}
