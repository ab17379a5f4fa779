/** Jobs on the queue of workers: puts them there, and tells each job's observer what becomes of it. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { PipelineError } from '../errors.ts';
import type { FailedAttempt } from './batch-events.ts';
import { contentKey, FileHashes } from './content-key.ts';
import { describeFailure } from './job-failure.ts';
import { JobFolder } from './job-folder.ts';
import { CancelJobError, type JobObserver, type JobOutcome, type RunOptions } from './job-runner.ts';
import type { BatchJob } from './manifest.ts';
import { assertQueueUrl, type Job, openQueue, type Queue } from './queue-connection.ts';
import { isProgress, packJob, type QueuedJob, type QueuedProgress, type QueuedResult } from './queued-job.ts';

/** Options of {@link QueueFollower.open}. */
export interface QueueFollowerOptions {
  readonly url: string;
  readonly stateFolder: string;
  /** Folder that workers see as well. */
  readonly sharedFolder: string;
  /** Seconds before the second attempt. */
  readonly retryDelay: number;
  /** Called with notes on the queue itself, or on a job. */
  readonly onNotice: (message: string, job?: BatchJob) => void;
  /** Called when a job has failed for good. */
  readonly onFailed?: ((job: BatchJob) => void) | undefined;
}

const POLL_MS = 400;
/** Jobs that wait which are looked at in one round; those that workers have are in every round. */
const WAITING_LOOKS = 100;
/** A server that is there answers within this. */
const ANSWER_MS = 5000;
/** The queue's largest priority is the least urgent, and 0 is before all. */
const PRIORITY_BASE = 1001;
/** Finished jobs are of no use once they have been seen; who was ended meanwhile looks for the videos instead. */
const KEEP_DONE_SECONDS = 24 * 3600;

/** A job that is followed. */
interface Entry {
  readonly job: BatchJob;
  readonly id: string;
  readonly data: QueuedJob;
  readonly observer: JobObserver;
  readonly settle: (outcome: JobOutcome) => void;
  /** Whether the queue has had it. */
  isQueued: boolean;
  /** Nobody wants it any more: it is taken back, or the worker that has it is notified. */
  isUnwanted: boolean;
  /** The worker's report that was passed on last. */
  reported: QueuedProgress | undefined;
}

/** One connection, one loop for all jobs. */
export class QueueFollower {
  readonly #queue: Queue<QueuedJob>;
  readonly #options: QueueFollowerOptions;
  readonly #hashes = new FileHashes();
  /** Jobs get onto the queue in the order in which they come. */
  readonly #adding = new PQueue({ concurrency: 1 });
  readonly #left = new Map<string, Entry>();
  readonly #closing = new AbortController();
  #following: Promise<void> | undefined;
  #isAway = false;
  #looked = 0;

  private constructor(queue: Queue<QueuedJob>, options: QueueFollowerOptions) {
    this.#queue = queue;
    this.#options = options;
    queue.on('error', () => {}); // reported by the rounds
  }

  /**
   * Connects.
   *
   * @throws {@link InvalidOptionError} if the address is none of a queue.
   * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
   */
  static async open(options: QueueFollowerOptions): Promise<QueueFollower> {
    assertQueueUrl('queue', options.url);
    return new QueueFollower(await openQueue<QueuedJob>(options.url), options);
  }

  /**
   * Puts a job on the queue, unless its video is there already, and follows it to its end. One that is queued already, by an
   * earlier start of the program, is followed; a server that has lost it gets it again.
   *
   * @returns how it ended. After an abort `cancelled`: with a {@link CancelJobError} it is taken back, and a worker that has
   *   it ends it; with all other reasons it stays on the queue, and workers go on.
   */
  async run(job: BatchJob, observer: JobObserver, { signal }: RunOptions = {}): Promise<JobOutcome> {
    const prepared = await this.#adding.add(async () => {
      if (signal?.aborted) return 'cancelled' as const;
      return this.#prepare(job, observer);
    });
    if (typeof prepared === 'string') {
      if (prepared === 'cancelled') observer.cancelled();
      return prepared;
    }
    const { id, data } = prepared;
    const outcome = await new Promise<JobOutcome>((settle) => {
      const entry: Entry = {
        job,
        id,
        data,
        observer,
        settle,
        isQueued: false,
        isUnwanted: false,
        reported: undefined,
      };
      this.#left.set(id, entry);
      const onAbort = (): void => {
        entry.isUnwanted = signal?.reason instanceof CancelJobError;
        if (!entry.isUnwanted) this.#settle(entry, 'cancelled');
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      void this.#adding.add(() => this.#enqueueIfThere(entry));
      this.#follow();
    });
    if (outcome === 'cancelled') observer.cancelled();
    if (outcome === 'failed') this.#options.onFailed?.(job);
    return outcome;
  }

  /** Takes back what no worker has begun; what one has is finished by it. */
  async withdraw(): Promise<void> {
    for (const entry of [...this.#left.values()]) {
      const job = await this.#queue.getJob(entry.id);
      await job?.remove().catch(() => {}); // a worker has it
      this.#settle(entry, 'cancelled');
    }
  }

  /** Follows no more; may be called twice. Jobs stay on the queue. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error('the queue is followed no more'));
    for (const entry of [...this.#left.values()]) this.#settle(entry, 'cancelled');
    await this.#following;
    // Commands of a server that is away would be waited for.
    await Promise.race([this.#queue.close(), sleep(1000, undefined, { ref: false })]);
    await this.#queue.disconnect().catch(() => {});
  }

  /** Looks whether the video is there already, or cannot be made. */
  async #prepare(
    job: BatchJob,
    observer: JobObserver,
  ): Promise<JobOutcome | { readonly id: string; readonly data: QueuedJob }> {
    const { stateFolder, sharedFolder } = this.#options;
    const { output } = job.options;
    try {
      const key = await contentKey(job.options, this.#hashes);
      const folder = await JobFolder.of(stateFolder, output);
      const found = await folder.outputState(key);
      if (found.kind === 'done') {
        observer.done({ reused: true, clip: found.record.summary });
        return 'done';
      }
      const data = packJob(job, key, sharedFolder, stateFolder);
      // One clip for one output is one job, however often it is queued.
      return { id: `${path.basename(folder.path)}-${key.slice(0, 32)}`, data };
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      observer.begin();
      observer.failedAttempt(await describeFailure(error, path.dirname(output)));
      observer.setState('failed');
      this.#options.onFailed?.(job);
      return 'failed';
    }
  }

  /** Where the server is away, a later round does it. */
  async #enqueueIfThere(entry: Entry): Promise<void> {
    if (!this.#left.has(entry.id) || entry.isQueued) return;
    await this.#answerOf(this.#enqueue(entry)).catch((error: Error) => this.#tellAway(error));
  }

  async #enqueue(entry: Entry): Promise<void> {
    const { job, id, data } = entry;
    const known = await this.#queue.getJob(id);
    if (known !== undefined) {
      const state = await known.getState();
      if (state !== 'completed' && state !== 'failed' && !known.data.unwanted) {
        entry.isQueued = true; // it waits, or a worker has it
        return;
      }
      await known.remove(); // its video has gone, or it gets another chance
    }
    await this.#queue.add('clip', data, {
      jobId: id,
      priority: PRIORITY_BASE - job.priority,
      attempts: job.attempts,
      backoff: { type: 'exponential', delay: this.#options.retryDelay * 1000 },
      removeOnComplete: { age: KEEP_DONE_SECONDS },
      removeOnFail: false, // the dead letters, with their reasons
    });
    entry.isQueued = true;
  }

  /** Goes round until nothing is left. */
  #follow(): void {
    this.#following ??= this.#rounds().finally(() => {
      this.#following = undefined;
      if (this.#left.size > 0 && !this.#closing.signal.aborted) this.#follow();
    });
  }

  async #rounds(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#left.size > 0 && !signal.aborted) {
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        for (const entry of this.#nextLooks()) {
          if (this.#left.has(entry.id)) await this.#look(entry);
        }
        if (this.#isAway) this.#options.onNotice('the queue is back');
        this.#isAway = false;
      } catch (error) {
        if (!signal.aborted) this.#tellAway(error as Error);
      }
    }
  }

  #tellAway({ message }: Error): void {
    if (!this.#isAway && !this.#closing.signal.aborted) {
      const { host } = new URL(this.#options.url);
      this.#options.onNotice(`the queue at ${host} does not answer (${message}); workers go on`);
    }
    this.#isAway = true;
  }

  /** All that are in somebody's hands, and some of those that wait, each in its turn. */
  #nextLooks(): Entry[] {
    const all = [...this.#left.values()];
    const isBusy = ({ reported, isUnwanted }: Entry): boolean => reported !== undefined || isUnwanted;
    const waiting = all.filter((entry) => !isBusy(entry));
    const begin = this.#looked < waiting.length ? this.#looked : 0;
    this.#looked = begin + WAITING_LOOKS;
    return [...all.filter(isBusy), ...waiting.slice(begin, begin + WAITING_LOOKS)];
  }

  async #look(entry: Entry): Promise<void> {
    const job = await this.#answerOf(this.#queue.getJob(entry.id));
    if (entry.isUnwanted) {
      await this.#answerOf(this.#takeBack(entry, job));
      return;
    }
    if (job === undefined) {
      if (entry.isQueued) {
        this.#options.onNotice('the queue has lost it, and gets it again', entry.job);
        entry.isQueued = false;
      }
      await this.#adding.add(() => this.#enqueueIfThere(entry));
      return;
    }
    const state = await this.#answerOf(job.getState());
    this.#passOn(entry, job);
    if (state === 'completed') {
      const { reused, clip, worker, denoiseSeconds } = job.returnvalue as QueuedResult;
      entry.observer.done({ reused, clip, worker, denoiseSeconds });
      this.#settle(entry, 'done');
    } else if (state === 'failed') {
      this.#settle(entry, endFailed(entry, job));
    }
  }

  /** Notifies a worker that has it; it releases the job within seconds, or its lock ends. */
  async #takeBack(entry: Entry, job: Job<QueuedJob, unknown> | undefined): Promise<void> {
    if (job !== undefined && (await job.getState()) === 'active') {
      if (!job.data.unwanted) await job.updateData({ ...job.data, unwanted: true });
      return;
    }
    await job?.remove();
    this.#settle(entry, 'cancelled');
  }

  #passOn(entry: Entry, { progress }: Job<QueuedJob, unknown>): void {
    if (!isProgress(progress)) return;
    const { observer, reported: before } = entry;
    if (JSON.stringify(progress) === JSON.stringify(before)) return;
    entry.reported = progress;
    const { state, clip, resumedFrames, failures, frames, notices = [] } = progress;
    observer.setFailures?.(failures);
    for (const message of notices.slice(before?.notices?.length ?? 0))
      observer.progress({ type: 'notice', message });
    if (resumedFrames > 0) observer.resumed(resumedFrames);
    const isRunning = state === 'preparing' || state === 'ready' || state === 'rendering';
    if (state !== before?.state && (isRunning || state === 'waiting')) {
      if (state === 'preparing') observer.begin();
      observer.setState(state, clip);
    }
    if (isRunning && frames !== undefined) observer.progress({ type: 'frames', ...frames });
  }

  #settle(entry: Entry, outcome: JobOutcome): void {
    if (this.#left.delete(entry.id)) entry.settle(outcome);
  }

  /** Waits for an answer, but not for longer than a server that is there takes. */
  async #answerOf<T>(asked: Promise<T>): Promise<T> {
    const late = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, late.signal]);
    const limit = sleep(ANSWER_MS, undefined, { signal });
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
}

/** A dead letter: the failures that its worker reported, or the queue's reason where the worker was killed. */
function endFailed({ observer }: Entry, { progress, failedReason }: Job<QueuedJob, unknown>): JobOutcome {
  const reported: readonly FailedAttempt[] = isProgress(progress) ? progress.failures : [];
  const reason = failedReason ?? 'no reason';
  const failures: readonly FailedAttempt[] =
    reported.at(-1)?.message === reason
      ? reported
      : [...reported, { attempt: reported.length + 1, kind: 'permanent', code: 'QUEUE', message: reason }];
  observer.setFailures?.(failures);
  const outcome = failures.at(-1)!.kind === 'disk-full' ? 'paused' : 'failed';
  observer.setState(outcome);
  return outcome;
}
