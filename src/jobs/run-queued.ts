/** Runs the jobs of a batch on the workers of a queue: puts them there, and follows what becomes of them. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../errors.ts';
import type { FailedAttempt } from './batch-events.ts';
import { contentKey, FileHashes } from './content-key.ts';
import { describeFailure } from './job-failure.ts';
import { JobFolder } from './job-folder.ts';
import type { JobTracker } from './job-tracker.ts';
import type { BatchJob } from './manifest.ts';
import { assertQueueUrl, type Job, openQueue, type Queue } from './queue-connection.ts';
import { packJob, type QueuedJob, type QueuedResult } from './queued-job.ts';
import { isProgress } from './run-worker.ts';

/** Options of {@link runQueued}. */
interface RunQueuedOptions {
  readonly url: string;
  readonly stateFolder: string;
  /** Folder that workers see as well. */
  readonly sharedFolder: string;
  readonly failFast: boolean;
  /** Seconds before the second attempt. */
  readonly retryDelay: number;
  readonly signal: AbortSignal;
}

const POLL_MS = 400;
/** The queue's largest priority is the least urgent, and 0 is before all. */
const PRIORITY_BASE = 1001;
/** Finished jobs are of no use once their batch has seen them; a batch that was ended looks for its videos instead. */
const KEEP_DONE_SECONDS = 24 * 3600;

/** A job in the queue. */
interface Entry {
  readonly job: BatchJob;
  readonly id: string;
  readonly data: QueuedJob;
  /** The job's progress that was reported last. */
  reported: string;
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
  options: RunQueuedOptions,
): Promise<void> {
  const { url, signal, failFast } = options;
  assertQueueUrl('queue', url);
  const queue = await openQueue<QueuedJob>(url);
  queue.on('error', () => {}); // reported by the polls
  try {
    const left = new Map<string, Entry>();
    const hashes = new FileHashes();
    for (const job of jobs) {
      signal.throwIfAborted();
      const entry = await prepareEntry(job, tracker, hashes, options);
      if (entry === undefined) continue;
      left.set(entry.id, entry);
      await enqueue(queue, entry, options);
    }
    await follow(queue, left, tracker, options, failFast);
  } finally {
    for (const job of jobs) tracker.cancelUnlessEnded(job.index);
    // Commands of a server that is away would be waited for.
    await Promise.race([queue.close(), sleep(1000, undefined, { ref: false })]);
    await queue.disconnect().catch(() => {});
  }
}

/** Looks whether the video is there already, or cannot be made. */
async function prepareEntry(
  job: BatchJob,
  tracker: JobTracker,
  hashes: FileHashes,
  { stateFolder, sharedFolder }: RunQueuedOptions,
): Promise<Entry | undefined> {
  const { output } = job.options;
  try {
    const key = await contentKey(job.options, hashes);
    const folder = await JobFolder.of(stateFolder, output);
    const found = await folder.outputState(key);
    if (found.kind === 'done') {
      tracker.done(job.index, { reused: true, clip: found.record.summary });
      return undefined;
    }
    const data = packJob(job, key, sharedFolder, stateFolder);
    // One clip for one output is one job, however often it is queued.
    return { job, id: `${path.basename(folder.path)}-${key.slice(0, 32)}`, data, reported: '' };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    tracker.begin(job.index);
    tracker.failedAttempt(job.index, await describeFailure(error, path.dirname(output)));
    tracker.setState(job.index, 'failed');
    return undefined;
  }
}

async function enqueue(
  queue: Queue<QueuedJob>,
  { job, id, data }: Entry,
  { retryDelay }: RunQueuedOptions,
): Promise<void> {
  const known = await queue.getJob(id);
  if (known !== undefined) {
    const state = await known.getState();
    if (state !== 'completed' && state !== 'failed') return; // waits, or a worker has it
    await known.remove(); // its video has gone, or it gets another chance
  }
  await queue.add('clip', data, {
    jobId: id,
    priority: PRIORITY_BASE - job.priority,
    attempts: job.attempts,
    backoff: { type: 'exponential', delay: retryDelay * 1000 },
    removeOnComplete: { age: KEEP_DONE_SECONDS },
    removeOnFail: false, // the dead letters, with their reasons
  });
}

async function follow(
  queue: Queue<QueuedJob>,
  left: Map<string, Entry>,
  tracker: JobTracker,
  options: RunQueuedOptions,
  failFast: boolean,
): Promise<void> {
  const { signal, url } = options;
  let isAway = false;
  while (left.size > 0) {
    signal.throwIfAborted();
    try {
      for (const [id, entry] of left) {
        const job = await answerOf(queue.getJob(id), signal);
        if (job === undefined) {
          tracker.notice('the queue has lost it, and gets it again', entry.job.index);
          await answerOf(enqueue(queue, entry, options), signal);
          continue;
        }
        const state = await answerOf(job.getState(), signal);
        tellProgress(entry, job, tracker);
        if (state === 'completed') {
          const { reused, clip, worker, denoiseSeconds } = job.returnvalue as QueuedResult;
          left.delete(id);
          tracker.done(entry.job.index, { reused, clip, worker, denoiseSeconds });
        } else if (state === 'failed') {
          left.delete(id);
          endFailed(entry, job, tracker);
          if (failFast) {
            await withdraw(queue, left);
            return;
          }
        }
      }
      if (isAway) tracker.notice('the queue is back');
      isAway = false;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAway) {
        const host = new URL(url).host;
        tracker.notice(`the queue at ${host} does not answer (${(error as Error).message}); workers go on`);
      }
      isAway = true;
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
}

/** Waits for an answer, but not for longer than a server that is there takes. */
async function answerOf<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new AbortController();
  const limit = sleep(5000, undefined, { signal: AbortSignal.any([signal, late.signal]) });
  try {
    return await Promise.race([
      asked,
      limit.then(() => {
        throw new Error('no answer');
      }),
    ]);
  } finally {
    late.abort();
    limit.catch(() => {});
    asked.catch(() => {});
  }
}

function tellProgress(entry: Entry, { progress }: Job<QueuedJob, unknown>, tracker: JobTracker): void {
  if (!isProgress(progress)) return;
  const text = JSON.stringify(progress);
  if (text === entry.reported) return;
  const before = entry.reported === '' ? undefined : JSON.parse(entry.reported);
  entry.reported = text;
  const { index } = entry.job;
  const { state, clip, resumedFrames, failures, frames } = progress;
  tracker.setFailures(index, failures);
  if (resumedFrames > 0) tracker.resumed(index, resumedFrames);
  const isRunning = state === 'preparing' || state === 'ready' || state === 'rendering';
  if (state !== before?.state && (isRunning || state === 'waiting')) {
    if (state === 'preparing') tracker.begin(index);
    tracker.setState(index, state, clip);
  }
  if (isRunning && frames !== undefined) tracker.progress(index, { type: 'frames', ...frames });
}

/** A dead letter: what its worker said of it, or what the queue says where no worker lived to tell. */
function endFailed({ job }: Entry, queued: Job<QueuedJob, unknown>, tracker: JobTracker): void {
  const reported: readonly FailedAttempt[] = isProgress(queued.progress) ? queued.progress.failures : [];
  const reason = queued.failedReason ?? 'no reason';
  const failures =
    reported.at(-1)?.message === reason
      ? reported
      : [
          ...reported,
          { attempt: reported.length + 1, kind: 'permanent' as const, code: 'QUEUE', message: reason },
        ];
  tracker.setFailures(job.index, failures);
  tracker.setState(job.index, failures.at(-1)!.kind === 'disk-full' ? 'paused' : 'failed');
}

/** Takes back what no worker has begun. */
async function withdraw(queue: Queue<QueuedJob>, left: ReadonlyMap<string, Entry>): Promise<void> {
  for (const id of left.keys()) {
    const job = await queue.getJob(id);
    await job?.remove().catch(() => {}); // a worker has it, and finishes it
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
