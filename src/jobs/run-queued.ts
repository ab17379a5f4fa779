/** Runs the jobs of a batch on the workers of a queue. */
import type { FailedAttempt } from './batch-events.ts';
import type { JobTracker } from './job-tracker.ts';
import type { BatchJob } from './manifest.ts';
import { assertQueueUrl, openQueue } from './queue-connection.ts';
import { QueueFollower, type QueueFollowerOptions } from './queue-follower.ts';
import { isProgress, type QueuedJob } from './queued-job.ts';

/** Options of {@link runQueued}. */
interface RunQueuedOptions
  extends Pick<QueueFollowerOptions, 'url' | 'stateFolder' | 'sharedFolder' | 'retryDelay'> {
  readonly failFast: boolean;
  readonly signal: AbortSignal;
}

/**
 * Queues all jobs whose video is not there yet and waits for them. Jobs that are queued already, by an earlier run of the same
 * batch, are followed. A server that lost its data gets the jobs again.
 *
 * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
 * @throws `signal.reason` if it aborts; what is queued stays so, and workers go on.
 */
export async function runQueued(
  jobs: readonly BatchJob[],
  tracker: JobTracker,
  { failFast, signal, ...options }: RunQueuedOptions,
): Promise<void> {
  let hasFailed = false;
  const follower = await QueueFollower.open({
    ...options,
    onNotice: (message, job) => tracker.notice(message, job?.index),
    onFailed: () => {
      if (!failFast || hasFailed) return;
      hasFailed = true;
      void follower.withdraw().catch(() => {}); // the queue has gone: workers finish what they have
    },
  });
  try {
    await Promise.all(
      jobs.map(async (job) => {
        if (!hasFailed) await follower.run(job, tracker.observe(job.index), { signal });
      }),
    );
    signal.throwIfAborted();
  } finally {
    for (const job of jobs) tracker.cancelUnlessEnded(job.index);
    await follower.close();
  }
}

/** A job that no worker tries again. */
export interface DeadLetter {
  readonly id: string;
  readonly name: string;
  readonly output: string;
  readonly reason: string;
  readonly failures: readonly FailedAttempt[];
}

/**
 * Jobs that have failed for good; a batch that is run again gives them another chance.
 *
 * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
 */
export async function listDeadLetters(url: string): Promise<DeadLetter[]> {
  assertQueueUrl('queue', url);
  const queue = await openQueue<QueuedJob>(url);
  try {
    const failed = await queue.getFailed();
    return failed.map((job) => ({
      id: job.id ?? '',
      name: job.data.name,
      output: job.data.output,
      reason: job.failedReason ?? '',
      failures: isProgress(job.progress) ? job.progress.failures : [],
    }));
  } finally {
    await queue.close();
  }
}
