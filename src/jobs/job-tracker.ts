/** Keeps what reports say of each job, and turns every change into an event. */

import type { ProgressEvent } from '../pipeline/animate-options.ts';
import { voiceOf } from '../pipeline/motion-inputs.ts';
import { combineProgress } from '../pipeline/progress.ts';
import { shownFile } from '../pipeline/resolve-options.ts';
import {
  type BatchEvent,
  type BatchReport,
  type BatchState,
  countJobs,
  type FailedAttempt,
  type JobReport,
  type JobState,
} from './batch-events.ts';
import type { JobFailure } from './job-failure.ts';
import type { RecordedClip } from './job-folder.ts';
import type { JobObserver, JobSuccess } from './job-runner.ts';
import type { BatchJob } from './manifest.ts';

/** States in which a job's own work goes on; in others it waits, for the engine or for other jobs. */
const WORKING: ReadonlySet<JobState> = new Set(['preparing', 'rendering']);

/** States that a job does not leave any more in this run. */
const ENDED: ReadonlySet<JobState> = new Set(['done', 'failed', 'paused', 'cancelled']);

interface Entry {
  report: JobReport;
  /** When the present attempt began, or its time was last counted; in seconds. */
  since: number | undefined;
  /** Share of the clip that is rendered, 0 to 1, and the part of it that came from checkpoints. */
  fraction: number;
  fractionBefore: number;
  /** Whether another program was found to render it. */
  postponed: boolean;
}

/** The state of a batch. Time is the monotonic clock's. */
export class JobTracker {
  readonly #manifest: string;
  readonly #entries: readonly Entry[];
  readonly #emit: (event: BatchEvent) => void;
  readonly #now: () => number;
  readonly #startedAt: string;
  readonly #begin: number;
  #renderingSince: number | undefined;

  /** @param now - seconds on a clock that never goes back. */
  constructor(
    manifest: string,
    jobs: readonly BatchJob[],
    emit: (event: BatchEvent) => void,
    now: () => number = () => performance.now() / 1000,
  ) {
    this.#manifest = manifest;
    this.#emit = emit;
    this.#now = now;
    this.#begin = now();
    this.#startedAt = new Date().toISOString();
    this.#entries = jobs.map(({ index, name, options }) => ({
      report: {
        index,
        name,
        portrait: shownFile(options),
        audio: voiceOf(options),
        output: options.output,
        state: 'waiting',
        reused: false,
        attempts: 0,
        failures: [],
        seconds: 0,
        waitSeconds: 0,
        resumedFrames: 0,
      },
      since: undefined,
      fraction: 0,
      fractionBefore: 0,
      postponed: false,
    }));
    emit({ type: 'batch', manifest, jobs: this.jobs });
  }

  get jobs(): readonly JobReport[] {
    return this.#entries.map(({ report }) => report);
  }

  /** What a runner tells of one job comes here. */
  observe(index: number): JobObserver {
    return {
      begin: () => this.begin(index),
      setState: (state, known) => this.setState(index, state, known),
      progress: (event) => this.progress(index, event),
      resumed: (frames) => this.resumed(index, frames),
      done: (success) => this.done(index, success),
      failedAttempt: (failure) => this.failedAttempt(index, failure),
      setFailures: (failures) => this.setFailures(index, failures),
      cancelled: (why) => this.cancelled(index, why),
      postponed: (why) => this.postponed(index, why),
    };
  }

  /** An attempt begins. */
  begin(index: number): void {
    const entry = this.#entries[index]!;
    entry.since = this.#now();
    entry.fraction = 0;
    entry.fractionBefore = 0;
    entry.report = { ...entry.report, attempts: entry.report.attempts + 1 };
  }

  setState(index: number, state: JobState, known: Partial<RecordedClip> = {}): void {
    const { frames, fps, width, height } = known;
    if (state === 'rendering') this.#renderingSince ??= this.#now();
    this.#update(index, {
      state,
      ...(frames !== undefined && fps !== undefined && { frames, fps, duration: frames / fps }),
      ...(width !== undefined && height !== undefined && { width, height }),
    });
  }

  /** Frames that need not be rendered again. */
  resumed(index: number, frames: number): void {
    const entry = this.#entries[index]!;
    entry.report = { ...entry.report, resumedFrames: frames };
  }

  progress(index: number, event: ProgressEvent): void {
    if (event.type === 'notice') {
      this.notice(event.message, index);
    } else if (event.type === 'frames') {
      const entry = this.#entries[index]!;
      // What comes from checkpoints is there at once, and says nothing of the pace.
      if (entry.fraction === 0 && entry.report.resumedFrames > 0) entry.fractionBefore = event.fraction;
      entry.fraction = event.fraction;
      const { fraction, remaining } = this.#batchProgress();
      this.#emit({
        ...event,
        type: 'progress',
        job: index,
        batchFraction: fraction,
        // The batch does not end before this job does.
        ...(remaining !== undefined && { batchRemaining: Math.max(remaining, event.remaining ?? 0) }),
      });
    }
  }

  notice(message: string, index?: number): void {
    this.#emit({ type: 'notice', ...(index !== undefined && { job: index }), message });
  }

  /** What a worker elsewhere tells of earlier attempts. */
  setFailures(index: number, failures: readonly FailedAttempt[]): void {
    const entry = this.#entries[index]!;
    entry.report = { ...entry.report, failures };
  }

  /** @returns the number of attempts so far. */
  failedAttempt(index: number, failure: JobFailure): number {
    const entry = this.#entries[index]!;
    const { attempts, failures } = entry.report;
    entry.report = { ...entry.report, failures: [...failures, { attempt: attempts, ...failure }] };
    return attempts;
  }

  done(index: number, { reused, clip, result, worker, denoiseSeconds }: JobSuccess): void {
    const denoise = result?.times.denoise ?? denoiseSeconds;
    const { frames, fps, width, height } = clip;
    const entry = this.#entries[index]!;
    if (reused) entry.fractionBefore = 1;
    this.#update(index, {
      state: 'done',
      reused,
      frames,
      fps,
      duration: frames / fps,
      width,
      height,
      ...(denoise !== undefined && { denoiseSeconds: denoise }),
      ...(worker !== undefined && { worker }),
    });
  }

  /** The batch ended before the job did. @param why - where nobody asked for its end just now. */
  cancelled(index: number, why?: string): void {
    const { state } = this.#entries[index]!.report;
    this.cancelUnlessEnded(index);
    if (why !== undefined && state === 'rendering') {
      this.notice(
        `stopped, because ${why}; its checkpoints are kept, and the next run resumes from them`,
        index,
      );
    }
  }

  /** Somebody else is about to make the video: what was begun was no attempt. */
  postponed(index: number, why: string): void {
    const entry = this.#entries[index]!;
    entry.report = { ...entry.report, attempts: entry.report.attempts - 1 };
    if (!entry.postponed) this.notice(why, index);
    entry.postponed = true;
  }

  /** How many pictures were looked at, before any is animated. */
  examining(done: number, total: number): void {
    this.#emit({ type: 'check', done, total });
  }

  cancelUnlessEnded(index: number): void {
    if (!ENDED.has(this.#entries[index]!.report.state)) this.#update(index, { state: 'cancelled' });
  }

  report(state: BatchState): BatchReport {
    return {
      formatVersion: 1,
      manifest: this.#manifest,
      state,
      startedAt: this.#startedAt,
      seconds: this.#now() - this.#begin,
      counts: countJobs(this.jobs),
      jobs: this.jobs,
    };
  }

  #update(index: number, changes: Partial<JobReport>): void {
    const entry = this.#entries[index]!;
    let { seconds, waitSeconds, state } = entry.report;
    if (entry.since !== undefined) {
      const now = this.#now();
      if (WORKING.has(state)) seconds += now - entry.since;
      else waitSeconds += now - entry.since;
      entry.since = now;
    }
    const ends = changes.state !== undefined && (ENDED.has(changes.state) || changes.state === 'waiting');
    if (ends) entry.since = undefined;
    entry.report = { ...entry.report, ...changes, seconds, waitSeconds };
    this.#emit({ type: 'job', job: entry.report });
  }

  #batchProgress(): ReturnType<typeof combineProgress> {
    const clips = this.#entries.map(({ report: { state, frames }, fraction, fractionBefore }) => {
      if (!ENDED.has(state)) return { frames, fraction, before: fractionBefore };
      // Nothing is left of a job that has ended; one that failed says nothing of the pace.
      return { frames, fraction: 1, before: state === 'done' ? fractionBefore : 1 };
    });
    return combineProgress(clips, this.#now() - (this.#renderingSince ?? this.#now()));
  }
}
