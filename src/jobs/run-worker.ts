/** A worker: takes jobs from a queue, one after another, and renders them. */
import os from 'node:os';
import path from 'node:path';
import type { ProgressEvent } from '../pipeline/animate-options.ts';
import { checkOptions } from '../pipeline/options/check-options.ts';
import type { FailedAttempt } from './batch-events.ts';
import type { ClipRenderer } from './clip-renderer.ts';
import { FileHashes } from './content-key.ts';
import { executeJob } from './execute-job.ts';
import { describeFailure } from './job-failure.ts';
import { CancelJobError } from './job-runner.ts';
import { Lanes } from './lanes.ts';
import {
  assertQueueUrl,
  type BullErrors,
  type Job,
  openQueue,
  openWorker,
  type Queue,
} from './queue-connection.ts';
import {
  inQueuedWords,
  isProgress,
  QUEUED_FORMAT,
  type QueuedJob,
  type QueuedProgress,
  type QueuedResult,
  unpackJob,
} from './queued-job.ts';
import { type RunWorkerOptions, WORKER_OPTIONS } from './worker-options.ts';

/** A job that a machine goes down with this often is what brings it down. */
const MAX_STALLS = 10;
const PROGRESS_MS = 500;
/** How soon it is seen that nobody wants a job any more. */
const WANTED_MS = 1000;
const MAX_NOTICES = 20;

/** Somebody else has the job by now. */
class LostLockError extends Error {
  override readonly name = 'LostLockError';
}

/** The worker was stopped. */
class HandBackError extends Error {
  override readonly name = 'HandBackError';
}

/**
 * Works until `signal` aborts, or with `untilEmpty` until nothing is left; then resolves, with all jobs handed back.
 *
 * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
 */
export async function runWorker(
  options: RunWorkerOptions,
  openRenderer: () => Promise<ClipRenderer>,
): Promise<void> {
  checkOptions(WORKER_OPTIONS, [], options, 'work');
  const { queue: url, lockSeconds = 30, drainSeconds = 0, signal, onEvent } = options;
  assertQueueUrl('queue', url);
  signal?.throwIfAborted();
  const name = `${os.hostname()}:${process.pid}`;
  const stop = new AbortController();
  const queue = await openQueue<QueuedJob>(url); // tells a server that is not there at once
  const lanes = new Lanes(1, openRenderer);
  const hashes = new FileHashes();
  const parts = { queue, lanes, hashes, name, lockSeconds, stop: stop.signal, options };
  const worker = await openWorker<QueuedJob>(
    url,
    { name, concurrency: 1, lockSeconds, maxStalls: MAX_STALLS },
    (job, token, errors) => new QueueAttempt(job, token, errors, parts).run(),
  );
  worker.on('error', (error) => onEvent?.({ type: 'notice', message: error.message || error.name }));
  let timer: NodeJS.Timeout | undefined;
  try {
    onEvent?.({ type: 'ready', worker: name });
    const running = worker.run();
    await new Promise<void>((resolve) => {
      signal?.addEventListener('abort', () => resolve(), { once: true });
      if (signal?.aborted) resolve();
      if (options.untilEmpty) worker.on('drained', () => resolve());
      void running.then(resolve, resolve);
    });
    timer = setTimeout(() => stop.abort(new HandBackError('the worker stops')), drainSeconds * 1000);
    await worker.close();
    await running.catch(() => {});
  } finally {
    clearTimeout(timer);
    stop.abort(new HandBackError('the worker stops'));
    await lanes.dispose();
    await queue.close();
  }
}

interface AttemptParts {
  readonly queue: Queue<QueuedJob>;
  readonly lanes: Lanes;
  readonly hashes: FileHashes;
  readonly name: string;
  readonly lockSeconds: number;
  readonly stop: AbortSignal;
  readonly options: RunWorkerOptions;
}

/** One attempt at a job of the queue. */
class QueueAttempt {
  readonly #job: Job<QueuedJob, unknown>;
  readonly #token: string;
  readonly #errors: BullErrors;
  readonly #parts: AttemptParts;
  #progress: QueuedProgress;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(job: Job<QueuedJob, unknown>, token: string, errors: BullErrors, parts: AttemptParts) {
    this.#job = job;
    this.#token = token;
    this.#errors = errors;
    this.#parts = parts;
    const before = isProgress(job.progress) ? job.progress : undefined;
    this.#progress = {
      state: 'preparing',
      worker: parts.name,
      failures: before?.failures ?? [],
      resumedFrames: 0,
    };
  }

  async run(): Promise<QueuedResult> {
    const { stop, options } = this.#parts;
    const { name } = this.#job.data;
    options.onEvent?.({ type: 'begin', job: name });
    const lost = new AbortController();
    const renewal = this.#renewLock(() => lost.abort(new LostLockError(`another worker has ${name}`)));
    const unwanted = new AbortController();
    const watch = this.#watchWanted(() => unwanted.abort(new CancelJobError(`nobody wants ${name}`)));
    const signal = AbortSignal.any([stop, lost.signal, unwanted.signal]);
    try {
      const result = await this.#render(signal);
      options.onEvent?.({ type: 'done', job: name, output: this.#job.data.output, reused: result.reused });
      return result;
    } catch (error) {
      if (signal.aborted) return await this.#handBack(signal.reason as Error);
      return await this.#fail(error);
    } finally {
      clearInterval(renewal);
      clearInterval(watch);
    }
  }

  async #render(signal: AbortSignal): Promise<QueuedResult> {
    const { lanes, hashes, name, options } = this.#parts;
    const { data } = this.#job;
    if (data.format !== QUEUED_FORMAT) {
      throw new this.#errors.UnrecoverableError(
        `expected a job of format ${QUEUED_FORMAT}, got ${data.format}: batch and workers are of different versions`,
      );
    }
    const { job, stateFolder } = unpackJob(data, options.sharedFolder);
    const { ffmpegPath } = options;
    await this.#tell({}, true);
    let failure: unknown;
    const lease = await lanes.lease();
    try {
      const { reused, clip, result } = await executeJob(
        { ...job, options: { ...job.options, ...(ffmpegPath !== undefined && { ffmpegPath }) } },
        {
          stateFolder,
          hashes,
          renderer: lease.renderer,
          signal,
          lock: false, // the queue's
          whilePreparing: lease.whilePreparing,
          expectedKey: data.key,
          onState: (state, known) => void this.#tell({ state, ...(known && { clip: known }) }, true),
          onProgress: (event) => this.#onProgress(event),
          onResume: (resumedFrames) => void this.#tell({ resumedFrames }, true),
          confirm: async () => {
            signal.throwIfAborted();
          },
        },
      );
      return { reused, clip, worker: name, ...(result && { denoiseSeconds: result.times.denoise }) };
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      await lease.release(signal.aborted ? undefined : failure);
    }
  }

  #onProgress(event: ProgressEvent): void {
    const { onEvent } = this.#parts.options;
    if (event.type === 'notice') {
      onEvent?.({ type: 'notice', message: `${this.#job.data.name}: ${event.message}` });
      const { notices = [] } = this.#progress;
      if (notices.length < MAX_NOTICES)
        void this.#tell({ notices: [...notices, this.#inQueuedWords(event.message)] }, true);
    }
    if (event.type !== 'frames') return;
    const { type: _, ...frames } = event;
    void this.#tell({ frames }, false);
  }

  #inQueuedWords(message: string): string {
    return inQueuedWords(message, this.#job.data, this.#parts.options.sharedFolder);
  }

  /** Keeps progress with the job. While the server is away, jobs go on. */
  async #tell(changes: Partial<QueuedProgress>, now: boolean): Promise<void> {
    this.#progress = { ...this.#progress, ...changes };
    if (!now && performance.now() - this.#reportedAt < PROGRESS_MS) return;
    this.#reportedAt = performance.now();
    const sent = this.#job.updateProgress(this.#progress).catch(() => {});
    if (now) await Promise.race([sent, shortly()]);
  }

  /** Renews well before the end, from this thread, which no network runs on. */
  #renewLock(onLost: () => void): NodeJS.Timeout {
    const { lockSeconds } = this.#parts;
    return setInterval(
      () => {
        this.#job.extendLock(this.#token, lockSeconds * 1000).then(
          (kept) => {
            if (kept === 0) onLost();
          },
          () => {}, // the server is away; whether the lock was lost shows when it is back
        );
      },
      (lockSeconds * 1000) / 4,
    );
  }

  /** Looks now and then whether the job is still wanted. */
  #watchWanted(onUnwanted: () => void): NodeJS.Timeout {
    if (this.#job.data.unwanted) onUnwanted();
    return setInterval(() => {
      this.#parts.queue.getJob(this.#job.id!).then(
        (job) => job?.data.unwanted && onUnwanted(),
        () => {}, // the server is away
      );
    }, WANTED_MS);
  }

  async #handBack(reason: Error): Promise<never> {
    const { onEvent } = this.#parts.options;
    onEvent?.({ type: 'handed-back', job: this.#job.data.name, reason: reason.message });
    if (reason instanceof HandBackError) {
      await this.#tell({ state: 'waiting' }, true);
      await this.#job.moveToWait(this.#token);
      throw new this.#errors.WaitingError();
    }
    if (reason instanceof CancelJobError) throw new this.#errors.UnrecoverableError(reason.message);
    throw reason; // the queue does not take it from this worker any more
  }

  async #fail(error: unknown): Promise<never> {
    const { name, attempts, output, root } = this.#job.data;
    const { sharedFolder, onEvent } = this.#parts.options;
    const folder = path.dirname(path.resolve(sharedFolder ?? root, output));
    const described = await describeFailure(error, folder);
    const failure = { ...described, message: this.#inQueuedWords(described.message) };
    const attempt = this.#progress.failures.length + 1;
    const failures: FailedAttempt[] = [...this.#progress.failures, { attempt, ...failure }];
    const final = failure.kind === 'permanent' || attempt >= attempts;
    const state = !final ? 'waiting' : failure.kind === 'disk-full' ? 'paused' : 'failed';
    await this.#tell({ failures, state }, true);
    onEvent?.({ type: 'failed', job: name, final, message: failure.message });
    throw final ? new this.#errors.UnrecoverableError(failure.message) : new Error(failure.message);
  }
}

/** A server that is away blocks no other for longer. */
function shortly(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1000).unref();
  });
}
