/** Runs the jobs of a batch on this machine: who comes when, what is tried again, what waits for space on the disk. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { ClipRenderer } from './clip-renderer.ts';
import { FileHashes } from './content-key.ts';
import { executeJob } from './execute-job.ts';
import { describeFailure } from './job-failure.ts';
import type { JobTracker } from './job-tracker.ts';
import { CLIPS_PER_LANE, Lanes } from './lanes.ts';
import type { BatchJob } from './manifest.ts';

/** Options of {@link runJobs}. */
interface RunJobsOptions {
  readonly stateFolder: string;
  /** Clips that are rendered at the same time, each with an engine of its own. */
  readonly concurrency: number;
  readonly openRenderer: () => Promise<ClipRenderer>;
  /** Ends the batch at the first job that fails for good. */
  readonly failFast: boolean;
  /** Seconds before the second attempt; doubled for each one after it. */
  readonly retryDelay: number;
  readonly signal: AbortSignal;
}

const MAX_RETRY_DELAY = 60;

/** Why jobs are cancelled when another has failed. */
class FailFastError extends Error {
  override readonly name = 'FailFastError';
}

/**
 * Runs all jobs and reports the outcome of each to `tracker`.
 *
 * @throws `signal.reason` if it aborts, after all work has ended and with all checkpoints kept.
 */
export async function runJobs(
  jobs: readonly BatchJob[],
  tracker: JobTracker,
  options: RunJobsOptions,
): Promise<void> {
  const { stateFolder, concurrency, failFast, retryDelay } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const hashes = new FileHashes();
  const lanes = new Lanes(concurrency, options.openRenderer);
  const queue = new PQueue({ concurrency: concurrency * CLIPS_PER_LANE, autoStart: false });
  const paused: BatchJob[] = [];

  /** One attempt. @returns whether another one is to follow, and after how many seconds. */
  const attempt = async (job: BatchJob, lastChance: boolean): Promise<number | undefined> => {
    if (signal.aborted) return undefined;
    let failure: unknown;
    let lease: Awaited<ReturnType<Lanes['lease']>> | undefined;
    tracker.begin(job.index);
    try {
      lease = await lanes.lease();
      const { renderer, whilePreparing } = lease;
      const finished = await executeJob(job, {
        stateFolder,
        hashes,
        renderer,
        signal,
        lock: true,
        whilePreparing,
        onState: (state, known) => tracker.setState(job.index, state, known),
        onProgress: (event) => tracker.progress(job.index, event),
        onResume: (frames) => tracker.resumed(job.index, frames),
      });
      tracker.done(job.index, finished);
      return undefined;
    } catch (error) {
      failure = error;
      if (signal.aborted) {
        tracker.cancelled(job.index);
        return undefined;
      }
      const described = await describeFailure(error, path.dirname(job.options.output));
      const attempts = tracker.failedAttempt(job.index, described);
      if (described.kind === 'disk-full') {
        tracker.setState(job.index, 'paused');
        if (!lastChance) paused.push(job);
        return undefined;
      }
      if (described.kind === 'passing' && attempts < job.attempts) {
        tracker.setState(job.index, 'waiting');
        return Math.min(MAX_RETRY_DELAY, retryDelay * 2 ** (attempts - 1));
      }
      tracker.setState(job.index, 'failed');
      if (failFast) stop.abort(new FailFastError(`${job.name} has failed`));
      return undefined;
    } finally {
      await lease?.release(signal.aborted ? undefined : failure);
    }
  };

  /** All attempts at one job; between two of them its place in the queue is free. */
  const run = async (job: BatchJob, lastChance = false): Promise<void> => {
    const { priority } = job;
    for (;;) {
      const delay = await queue.add(() => attempt(job, lastChance), { priority });
      if (delay === undefined) return;
      await sleep(delay * 1000, undefined, { signal }).catch(() => {}); // the next attempt sees that it is over
    }
  };

  try {
    const runs = jobs.map((job) => run(job));
    queue.start(); // all are in the queue: the first is the one with the highest priority
    await Promise.all(runs);
    // Others have ended and have given back what they had on the disk: one more attempt, one after another.
    for (const job of paused) await run(job, true);
  } finally {
    for (const job of jobs) tracker.cancelUnlessEnded(job.index);
    await lanes.dispose();
  }
  options.signal.throwIfAborted();
}
