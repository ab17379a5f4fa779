/** Runs the jobs of a batch on this machine, and comes back to those for which the disk was full. */
import type { ClipRenderer } from './clip-renderer.ts';
import { FailFastError, JobRunner } from './job-runner.ts';
import type { JobTracker } from './job-tracker.ts';
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

/**
 * Runs all jobs and reports the outcome of each to `tracker`.
 *
 * @throws `signal.reason` if it aborts, after all work has ended and with all checkpoints kept.
 */
export async function runJobs(
  jobs: readonly BatchJob[],
  tracker: JobTracker,
  { failFast, signal, ...options }: RunJobsOptions,
): Promise<void> {
  const stop = new AbortController();
  const runner = new JobRunner({
    ...options,
    signal: AbortSignal.any([signal, stop.signal]),
    onFailed: ({ name }) => failFast && stop.abort(new FailFastError(`${name} has failed`)),
  });
  const paused: BatchJob[] = [];
  try {
    const good = await runner.examine(
      jobs,
      ({ index }) => tracker.observe(index),
      (done, total) => tracker.examining(done, total),
    );
    const runs = good.map(async (job) => {
      if ((await runner.run(job, tracker.observe(job.index))) === 'paused') paused.push(job);
    });
    runner.start(); // all are in the queue: the first is the one with the highest priority
    await Promise.all(runs);
    // Others have ended and have given back what they had on the disk: one more attempt, one after another.
    for (const job of paused) await runner.run(job, tracker.observe(job.index));
  } finally {
    for (const job of jobs) tracker.cancelUnlessEnded(job.index);
    await runner.dispose();
  }
  signal.throwIfAborted();
}
