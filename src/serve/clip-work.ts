/** How clips are made: as jobs of an engine, whose reports become those of the order. */
import { rm } from 'node:fs/promises';
import type { JobFailure } from '../jobs/job-failure.ts';
import { JobFolder } from '../jobs/job-folder.ts';
import type { JobObserver, JobOutcome, RunOptions } from '../jobs/job-runner.ts';
import type { BatchJob } from '../jobs/manifest.ts';
import type { AnimateOptions } from '../pipeline/animate-options.ts';
import { type OrderReports, type OrderWork, orderFolder } from './board.ts';
import type { Clip } from './clip.ts';
import { clipJob, fieldOf, forClient, type JobPlaces, liveOf, videoOf } from './clip-job.ts';
import type { DataFolder } from './data-folder.ts';
import type { UploadStore } from './upload-store.ts';

/** What orders are done by: this machine, or the workers of a queue. */
export interface OrderEngine {
  run(job: BatchJob, observer: JobObserver, options: RunOptions): Promise<JobOutcome>;
  /** Does something in its turn on this machine, while nothing else is rendered here. */
  runAlone<T>(work: () => Promise<T>): Promise<T>;
  start(): void;
  /** Gets ready for a first clip like this one, where that is done here. */
  warmUp?(options: AnimateOptions): Promise<void>;
  /** To be called when nothing runs. */
  dispose(): Promise<void>;
}

/** What clips are made with. */
export interface ClipWorkParts {
  readonly data: DataFolder;
  readonly uploads: UploadStore;
  readonly engine: OrderEngine;
  readonly bundleStore: string | undefined;
  readonly ffmpegPath: string | undefined;
}

/** See {@link OrderWork}. */
export class ClipWork implements OrderWork<Clip> {
  readonly #parts: ClipWorkParts;

  constructor(parts: ClipWorkParts) {
    this.#parts = parts;
  }

  async run(clip: Clip, reports: OrderReports): Promise<JobOutcome> {
    const job = clipJob(clip.id, clip.record.number, clip.record.request, this.#places(clip));
    const ending: Promise<void>[] = [];
    const observer = this.#observe(clip, reports, (end) => ending.push(end));
    const outcome = await this.#parts.engine.run(job, observer, { signal: clip.stop.signal });
    await Promise.all(ending);
    if (clip.state === 'canceled') await this.#removeMade(clip);
    return outcome;
  }

  /** Of a clip that was cancelled: checkpoints, and the video where a worker had completed it before it heard of that. */
  async #removeMade(clip: Clip): Promise<void> {
    await (await this.#jobFolder(clip)).removeCheckpoints();
    await rm(videoOf(this.#places(clip).folder, clip.format), { recursive: true, force: true });
  }

  async ended(clip: Clip): Promise<void> {
    await rm(liveOf(this.#places(clip).folder), { force: true }); // who watches it keeps it to its end
  }

  async removed(clip: Clip): Promise<void> {
    await rm((await this.#jobFolder(clip)).path, { recursive: true, force: true });
  }

  #places(clip: Clip): JobPlaces {
    const { uploads, data, bundleStore, ffmpegPath } = this.#parts;
    return { uploads, folder: orderFolder(data, clip), bundleStore, ffmpegPath };
  }

  #jobFolder(clip: Clip): Promise<JobFolder> {
    return JobFolder.of(this.#parts.data.state, videoOf(this.#places(clip).folder, clip.format));
  }

  /** @param onEnd - receives what is still to be written when the job has ended. */
  #observe(clip: Clip, reports: OrderReports, onEnd: (end: Promise<void>) => void): JobObserver {
    const { record } = clip;
    const places = this.#places(clip);
    const fail = ({ code, message }: JobFailure): void => {
      const field = fieldOf(message, record.request, places);
      const text = forClient(message, record.request, places);
      record.error = { code, message: text, ...(field !== undefined && { field }) };
    };
    return {
      begin: () => {
        clip.attempts += 1;
      },
      setState: (state) => {
        if (state === 'preparing') void reports.enter(clip, 'starting');
        else if (state === 'rendering') void reports.enter(clip, 'processing');
        else if (state === 'waiting') void reports.enter(clip, 'queued');
        else if (state === 'failed') onEnd(reports.finish(clip, 'failed'));
      },
      progress: (event) => {
        if (event.type === 'notice') clip.add('notice', forClient(event.message, record.request, places));
        if (event.type !== 'frames') return;
        const { type: _, ...progress } = event;
        clip.progress = progress;
        clip.changed();
      },
      resumed: (frames) => {
        clip.resumedFrames = frames;
      },
      done: () => onEnd(this.#succeed(clip, reports)),
      failedAttempt: (failure) => {
        fail(failure);
        return clip.attempts;
      },
      setFailures: (failures) => {
        const last = failures.at(-1);
        if (last !== undefined) fail(last);
      },
      cancelled: () => {},
    };
  }

  async #succeed(clip: Clip, reports: OrderReports): Promise<void> {
    const found = await (await this.#jobFolder(clip)).readRecord();
    if (found === undefined || clip.hasEnded) return;
    clip.record.result = { ...found.summary, bytes: found.bytes, sha256: found.sha256 };
    delete clip.record.error;
    await reports.finish(clip, 'succeeded');
  }
}
