/** Runs jobs on this machine as they come: who is next, what is tried again, what waits for space on the disk. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { describeOwner } from '../files/thread-owner.ts';
import type { AnimateOptions, AnimateResult } from '../pipeline/animate-options.ts';
import type { ClipCheckpoints } from '../pipeline/clip-checkpoints.ts';
import type { ProgressEvent } from '../pipeline/progress-event.ts';
import type { FailedAttempt, JobState } from './batch-events.ts';
import type { ClipRenderer } from './clip-renderer.ts';
import { FileHashes } from './content-key.ts';
import { examineJobs } from './examine-jobs.ts';
import { executeJob } from './execute-job.ts';
import { describeFailure, type JobFailure } from './job-failure.ts';
import type { RecordedClip } from './job-folder.ts';
import { BusyOutputs, OutputBusyError } from './job-lock.ts';
import { CLIPS_PER_LANE, Lanes } from './lanes.ts';
import type { BatchJob } from './manifest.ts';
import { SharedTurns } from './shared-turns.ts';

/** What became of a job that succeeded. */
export interface JobSuccess {
  /** The video was there before. */
  readonly reused: boolean;
  readonly clip: RecordedClip;
  /** Of this rendering, where it took place here. */
  readonly result?: AnimateResult | undefined;
  /** Who rendered it, where others do. */
  readonly worker?: string | undefined;
  /** Where the rest of the result stayed with the worker. */
  readonly denoiseSeconds?: number | undefined;
}

/** Observes what happens to one job. */
export interface JobObserver {
  /** An attempt begins. */
  begin(): void;
  setState(state: JobState, known?: Partial<RecordedClip>): void;
  progress(event: ProgressEvent): void;
  /** Frames that come from checkpoints. */
  resumed(frames: number): void;
  done(success: JobSuccess): void;
  /** @returns the number of attempts so far. */
  failedAttempt(failure: JobFailure): number;
  /** All failures so far, where others attempt it. */
  setFailures?(failures: readonly FailedAttempt[]): void;
  /** @param why - a sentence, where it is not what the user asked for just now. */
  cancelled(why?: string): void;
  /** The attempt did not begin after all: another program renders the output, which is looked for again and again. */
  postponed?(why: string): void;
}

/** Why jobs are cancelled when another has failed. */
export class FailFastError extends Error {
  override readonly name = 'FailFastError';
}

/** Why a job ends that nobody wants any more; also one that others have in hand. */
export class CancelJobError extends Error {
  override readonly name = 'CancelJobError';
}

/** How a job ended. `paused`: the disk is full. */
export type JobOutcome = 'done' | 'failed' | 'paused' | 'cancelled';

/** Options of {@link JobRunner}. */
interface JobRunnerOptions {
  readonly stateFolder: string;
  /** Clips that are rendered at the same time, each with an engine of its own. */
  readonly concurrency: number;
  readonly openRenderer: () => Promise<ClipRenderer>;
  /** Seconds before the second attempt; doubled for each one after it. */
  readonly retryDelay: number;
  /** Ends all jobs; their checkpoints stay. */
  readonly signal: AbortSignal;
  /** Called when a job has failed for good, before another begins. */
  readonly onFailed?: ((job: BatchJob) => void) | undefined;
}

/** What holds for one job. */
export interface RunOptions {
  /** Ends this job alone; its checkpoints stay. */
  readonly signal?: AbortSignal | undefined;
}

const MAX_RETRY_DELAY = 60;
/** Seconds between two looks at an output that another program renders. */
const BUSY_DELAY = 0.5;
/** Below every priority of a job: what others render comes after all that is left to do here. */
const BUSY_PRIORITY = -10_000;

/** Of a clip that is not rendered. */
const NO_CHECKPOINTS: ClipCheckpoints = {
  load: async () => undefined,
  save: async () => {},
  flush: async () => {},
};

/** Another attempt. */
interface Retry {
  /** Seconds until then. */
  readonly delay: number;
  readonly priority: number;
}

/** Runs jobs from {@link JobRunner.start} on; of those that wait, the one with the highest priority comes first. */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #hashes = new FileHashes();
  readonly #lanes: Lanes;
  readonly #queue: PQueue;
  readonly #busy = new BusyOutputs();
  readonly #turns = new SharedTurns();
  #warmingUp: Promise<void> | undefined;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.concurrency, options.openRenderer);
    this.#queue = new PQueue({ concurrency: options.concurrency * CLIPS_PER_LANE, autoStart: false });
  }

  /** Begins with what has been asked for. */
  start(): void {
    this.#queue.start();
  }

  /** All attempts at one job; between two of them its place in the queue is free. */
  async run(job: BatchJob, observer: JobObserver, options: RunOptions = {}): Promise<JobOutcome> {
    let { priority } = job;
    const signal = options.signal
      ? AbortSignal.any([this.#options.signal, options.signal])
      : this.#options.signal;
    for (;;) {
      const next = await this.#queue.add(
        () => this.#turns.together(() => this.#attempt(job, observer, signal)),
        { priority },
      );
      if (typeof next === 'string') return next;
      priority = next.priority;
      await sleep(next.delay * 1000, undefined, { signal }).catch(() => {}); // the next attempt sees that it is over
    }
  }

  /** Does something in its turn, when what was begun before has ended and before anything else begins; no engine is kept meanwhile. */
  runAlone<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.add(() =>
      this.#turns.alone(async () => {
        await this.#lanes.rest();
        return work();
      }),
    );
  }

  /**
   * Looks at the portraits of jobs before any of them is run.
   *
   * @param observe - gives the observer of a job that cannot be done.
   * @returns the jobs that are left.
   */
  async examine(
    jobs: readonly BatchJob[],
    observe: (job: BatchJob) => JobObserver,
    onProgress: (done: number, total: number) => void,
  ): Promise<readonly BatchJob[]> {
    const { stateFolder, signal, onFailed } = this.#options;
    return examineJobs(jobs, {
      stateFolder,
      hashes: this.#hashes,
      lanes: this.#lanes,
      signal,
      onProgress,
      onFailed: (job, failure) => {
        const observer = observe(job);
        observer.begin();
        observer.failedAttempt(failure);
        observer.setState('failed');
        onFailed?.(job);
      },
    });
  }

  /**
   * Makes a renderer ready with a clip that is prepared and not rendered, so that the first job need not wait for networks. What goes
   * wrong is left to the first job.
   */
  warmUp(options: AnimateOptions): Promise<void> {
    this.#warmingUp ??= this.#turns.together(() => this.#prepareOnly(options)).catch(() => {});
    return this.#warmingUp;
  }

  async #prepareOnly(options: AnimateOptions): Promise<void> {
    const { signal } = this.#options;
    const lease = await this.#lanes.lease();
    try {
      const prepared = await lease.renderer.prepare({
        options: { ...options, signal },
        checkpoints: NO_CHECKPOINTS,
        beforePublish: async () => {},
      });
      await prepared.dispose();
    } finally {
      await lease.release();
    }
  }

  /** Ends all renderers; to be called when no job runs. */
  async dispose(): Promise<void> {
    await this.#warmingUp;
    await this.#lanes.dispose();
  }

  /** One attempt. @returns how the job ended, or that another attempt is to follow. */
  async #attempt(job: BatchJob, observer: JobObserver, signal: AbortSignal): Promise<JobOutcome | Retry> {
    const { stateFolder, retryDelay, onFailed } = this.#options;
    if (signal.aborted) {
      observer.cancelled();
      return 'cancelled';
    }
    let failure: unknown;
    let lease: Awaited<ReturnType<Lanes['lease']>> | undefined;
    observer.begin();
    try {
      lease = await this.#lanes.lease();
      const { renderer, whilePreparing } = lease;
      const finished = await executeJob(job, {
        stateFolder,
        hashes: this.#hashes,
        renderer,
        signal,
        lock: true,
        whilePreparing,
        onState: (state, known) => observer.setState(state, known),
        onProgress: (event) => observer.progress(event),
        onResume: (frames) => observer.resumed(frames),
      });
      observer.done(finished);
      return 'done';
    } catch (error) {
      failure = error;
      if (signal.aborted) {
        observer.cancelled(signal.reason instanceof FailFastError ? signal.reason.message : undefined);
        return 'cancelled';
      }
      if (error instanceof OutputBusyError && this.#busy.mayWait(error)) {
        observer.setState('waiting');
        observer.postponed?.(`${describeOwner(error.owner)} renders it: its video is waited for`);
        return { delay: BUSY_DELAY, priority: BUSY_PRIORITY };
      }
      const described = await describeFailure(error, path.dirname(job.options.output));
      const attempts = observer.failedAttempt(described);
      if (described.kind === 'disk-full') {
        observer.setState('paused');
        return 'paused';
      }
      if (described.kind === 'passing' && attempts < job.attempts) {
        observer.setState('waiting');
        const delay = Math.min(MAX_RETRY_DELAY, retryDelay * 2 ** (attempts - 1));
        return { delay, priority: job.priority };
      }
      observer.setState('failed');
      onFailed?.(job);
      return 'failed';
    } finally {
      await lease?.release(signal.aborted ? undefined : failure);
    }
  }
}
