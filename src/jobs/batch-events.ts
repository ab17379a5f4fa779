/** Events of a batch while it runs, and its report at the end. */
import type { RenderingProgress } from '../pipeline/animate-options.ts';
import type { JobFailure } from './job-failure.ts';

/**
 * `waiting`: not begun, or between two attempts. `ready`: prepared, waits for the engine. `done`: the video is there.
 * `paused`: the disk is full; continues when there is space. `cancelled`: the batch ended before it did.
 */
export type JobState =
  | 'waiting'
  | 'preparing'
  | 'ready'
  | 'rendering'
  | 'done'
  | 'failed'
  | 'paused'
  | 'cancelled';

/** An attempt that did not succeed. */
export interface FailedAttempt extends JobFailure {
  /** Counts from 1. */
  readonly attempt: number;
}

/** A job as reports have it. */
export interface JobReport {
  /** Counts from 0, in the order of the manifest. */
  readonly index: number;
  readonly name: string;
  readonly portrait: string;
  readonly audio: string;
  readonly output: string;
  readonly state: JobState;
  /** Whether the video was there already, from an earlier run. */
  readonly reused: boolean;
  /** Attempts begun in this run. */
  readonly attempts: number;
  /** Of this run, oldest first. */
  readonly failures: readonly FailedAttempt[];
  /** Seconds of work on it alone in this run, from the monotonic clock. */
  readonly seconds: number;
  /** Seconds that its attempts waited for the engine, and for other jobs. */
  readonly waitSeconds: number;
  /** Frames that came from checkpoints of an earlier run or attempt. */
  readonly resumedFrames: number;
  /** The rest is known once it is prepared or done. */
  readonly frames?: number;
  readonly fps?: number;
  /** Seconds of video. */
  readonly duration?: number;
  readonly width?: number;
  readonly height?: number;
  /** Seconds that the denoiser worked, in the attempt that succeeded. */
  readonly denoiseSeconds?: number;
  /** Which worker of a queue rendered it. */
  readonly worker?: string;
}

/** Number of jobs in each state. */
export type JobCounts = Readonly<Record<JobState | 'reused' | 'total', number>>;

/** What {@link BatchReport} says of the whole. */
export type BatchState = 'running' | 'complete' | 'partial' | 'stopped';

/** The whole batch; the contents of report.json. */
export interface BatchReport {
  /** Of this form; another number means that fields have changed their meaning. */
  readonly formatVersion: 1;
  readonly manifest: string;
  readonly state: BatchState;
  /** For people: ISO 8601, from the wall clock. */
  readonly startedAt: string;
  /** From the monotonic clock. */
  readonly seconds: number;
  readonly counts: JobCounts;
  readonly jobs: readonly JobReport[];
}

/** How far a job is, and the batch with it. */
export interface JobProgress extends RenderingProgress {
  /** Index of the job. */
  readonly job: number;
  /** Share of the batch that is done, 0 to 1: by frames, where jobs without a known number are taken for average ones. */
  readonly batchFraction: number;
  /** Seconds to the end of the batch, from the pace so far; undefined until known. */
  readonly batchRemaining?: number;
}

/** What the events of {@link runBatch} are. */
export type BatchEvent =
  /** First: all jobs, before any is begun. */
  | { readonly type: 'batch'; readonly manifest: string; readonly jobs: readonly JobReport[] }
  /** Pictures were looked at, before any of them is animated. */
  | { readonly type: 'check'; readonly done: number; readonly total: number }
  /** A job has changed its state. */
  | { readonly type: 'job'; readonly job: JobReport }
  | ({ readonly type: 'progress' } & JobProgress)
  | { readonly type: 'notice'; readonly job?: number; readonly message: string }
  /** Last. */
  | { readonly type: 'report'; readonly report: BatchReport };

/** Counts jobs by state. */
export function countJobs(jobs: readonly JobReport[]): JobCounts {
  const counts = {
    waiting: 0,
    preparing: 0,
    ready: 0,
    rendering: 0,
    done: 0,
    failed: 0,
    paused: 0,
    cancelled: 0,
    reused: 0,
    total: jobs.length,
  };
  for (const { state, reused } of jobs) {
    counts[state] += 1;
    if (reused) counts.reused += 1;
  }
  return counts;
}
