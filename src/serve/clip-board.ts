/** All clips of a server: what comes, what runs, what is remembered, and what goes. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeAllPartials } from '../files/partial-name.ts';
import { JobFolder } from '../jobs/job-folder.ts';
import type { JobObserver, JobOutcome, RunOptions } from '../jobs/job-runner.ts';
import type { BatchJob } from '../jobs/manifest.ts';
import { Clip } from './clip.ts';
import { clipJob, forClient, type JobPlaces, liveOf, videoOf } from './clip-job.ts';
import { clipFolder, readClipRecords, writeClipRecord } from './clip-record.ts';
import type { ClipRequest } from './clip-request.ts';
import type { DataFolder } from './data-folder.ts';
import { newId, shortId } from './ids.ts';
import { RequestError } from './problem.ts';
import type { ServeEvent } from './serve-event.ts';
import type { UploadStore } from './upload-store.ts';

/** What jobs are run by: this machine, or the workers of a queue. */
export interface JobEngine {
  run(job: BatchJob, observer: JobObserver, options: RunOptions): Promise<JobOutcome>;
  start(): void;
  /** To be called when no job runs. */
  dispose(): Promise<void>;
}

/** What a board works with. */
export interface ClipBoardParts {
  readonly data: DataFolder;
  readonly uploads: UploadStore;
  readonly engine: JobEngine;
  readonly bundleStore: string | undefined;
  readonly ffmpegPath: string | undefined;
  readonly clipsPerClient: number;
  readonly onEvent: (event: ServeEvent) => void;
  /** Called when a clip has ended. */
  readonly onEnded: (clip: Clip) => void;
}

/** Who asks for a clip. */
export interface ClipOrder {
  readonly client: string;
  /** A key by which the same order is known again, with what was ordered. */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined;
}

/** A clip whose disk is full is begun again after this. */
const DISK_FULL_MS = 30_000;

/** Keeps every clip in memory and on the disk. */
export class ClipBoard {
  readonly #parts: ClipBoardParts;
  readonly #clips = new Map<string, Clip>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #writes = new WeakMap<Clip, Promise<void>>();
  #next = 1;

  private constructor(parts: ClipBoardParts) {
    this.#parts = parts;
  }

  /** Reads what is remembered, and goes on with what was not finished. */
  static async open(parts: ClipBoardParts): Promise<ClipBoard> {
    const board = new ClipBoard(parts);
    const { records, strays } = await readClipRecords(parts.data.clips);
    for (const stray of strays) await rm(stray, { recursive: true, force: true });
    for (const record of records) {
      await removeAllPartials(clipFolder(parts.data.clips, record.id)); // of a server that was killed
      board.#next = Math.max(board.#next, record.number + 1);
      const clip = new Clip(record);
      board.#clips.set(record.id, clip);
      if (clip.hasEnded) continue;
      if (clip.state !== 'queued') clip.add('state', 'queued');
      board.#begin(clip);
    }
    board.#count();
    return board;
  }

  get(id: string): Clip | undefined {
    return this.#clips.get(id);
  }

  /** Newest first. */
  get all(): readonly Clip[] {
    return [...this.#clips.values()].reverse();
  }

  /** The clip of an earlier order with this key, if there is one. */
  ordered(client: string, key: string): Clip | undefined {
    return this.all.find(({ record }) => record.client === client && record.idempotency?.key === key);
  }

  /**
   * Takes an order. It is remembered durably when this returns.
   *
   * @throws {@link RequestError} if the client has too many that are not finished.
   */
  async create(request: ClipRequest, { client, idempotency }: ClipOrder): Promise<Clip> {
    const { clipsPerClient, data } = this.#parts;
    const open = this.all.filter((clip) => clip.record.client === client && !clip.hasEnded).length;
    if (open >= clipsPerClient) {
      throw new RequestError(
        'too-many-clips',
        `Cannot take a clip: expected at most ${clipsPerClient} that are not finished, got one more; wait for some to end`,
        { headers: { 'retry-after': '30' } },
      );
    }
    const clip = new Clip({
      ...{ id: newId(), number: this.#next++, request, client, createdAt: new Date().toISOString() },
      ...(idempotency !== undefined && { idempotency }),
      state: 'queued',
      log: [],
    });
    clip.add('state', 'queued');
    this.#clips.set(clip.id, clip);
    try {
      await mkdir(clipFolder(data.clips, clip.id));
      await writeClipRecord(data.clips, clip.record);
    } catch (error) {
      this.#clips.delete(clip.id);
      throw error;
    }
    this.#begin(clip);
    this.#count();
    this.#tell(clip);
    return clip;
  }

  /** Ends a clip that runs or waits; its checkpoints go. */
  async cancel(clip: Clip): Promise<void> {
    if (clip.hasEnded) return;
    clip.record.finishedAt = new Date().toISOString();
    clip.add('state', 'canceled');
    clip.stop.abort(new Error('canceled'));
    await this.#keep(clip);
    this.#ended(clip);
  }

  /** Removes all that is there of a clip that has ended. */
  async remove(clip: Clip): Promise<void> {
    this.#clips.delete(clip.id);
    clip.changed();
    const { data } = this.#parts;
    const folder = clipFolder(data.clips, clip.id);
    const job = await JobFolder.of(data.state, videoOf(folder));
    await rm(folder, { recursive: true, force: true });
    await rm(job.path, { recursive: true, force: true });
  }

  /** Remembers what became of the note of a clip's end. */
  async note(clip: Clip, outcome: 'delivered' | 'failed'): Promise<void> {
    clip.record.noted = outcome;
    await this.#keep(clip);
  }

  /** Ids of the files that clips are made of. */
  filesInUse(): Set<string> {
    return new Set(
      [...this.#clips.values()].flatMap(({ record }) => record.request.files.map(({ id }) => id)),
    );
  }

  /**
   * Begins nothing more; what runs has so many seconds to end, and keeps its checkpoints if it does not.
   */
  async stop(seconds: number, now: AbortSignal): Promise<void> {
    const waiting = [...this.#clips.values()].filter(({ state }) => state === 'queued');
    for (const clip of waiting) clip.stop.abort(STOPPED);
    const patience = sleep(seconds * 1000, undefined, { signal: now, ref: false }).catch(() => {});
    await Promise.race([Promise.all(this.#running), patience]);
    this.#stopping.abort(STOPPED);
    for (const clip of this.#clips.values()) clip.stop.abort(STOPPED);
    await Promise.all(this.#running);
    for (const clip of this.#clips.values()) clip.changed();
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #places(clip: Clip): JobPlaces {
    const { uploads, data, bundleStore, ffmpegPath } = this.#parts;
    return { uploads, folder: clipFolder(data.clips, clip.id), bundleStore, ffmpegPath };
  }

  #begin(clip: Clip): void {
    const running = this.#run(clip).catch((error: unknown) => {
      this.#parts.onEvent({ type: 'notice', message: `clip ${shortId(clip.id)}: ${String(error)}` });
    });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #run(clip: Clip): Promise<void> {
    const { engine } = this.#parts;
    const job = clipJob(clip.id, clip.record.number, clip.record.request, this.#places(clip));
    for (;;) {
      const ending: Promise<void>[] = [];
      const observer = this.#observe(clip, (end) => ending.push(end));
      const outcome = await engine.run(job, observer, { signal: clip.stop.signal });
      await Promise.all(ending);
      if (outcome !== 'paused') break;
      await this.#enter(clip, 'queued');
      clip.add('notice', 'the disk is full: the clip goes on when there is space');
      const wait = AbortSignal.any([clip.stop.signal, this.#stopping.signal]);
      await sleep(DISK_FULL_MS, undefined, { signal: wait }).catch(() => {});
    }
    if (clip.state !== 'canceled') return;
    const folder = await JobFolder.of(this.#parts.data.state, job.options.output);
    await folder.removeCheckpoints();
  }

  /** @param onEnd - receives what is still to be written when the job has ended. */
  #observe(clip: Clip, onEnd: (end: Promise<void>) => void): JobObserver {
    const { record } = clip;
    return {
      begin: () => {
        clip.attempts += 1;
      },
      setState: (state) => {
        if (clip.hasEnded) return;
        if (state === 'preparing') void this.#enter(clip, 'starting');
        else if (state === 'rendering') void this.#enter(clip, 'processing');
        else if (state === 'waiting') void this.#enter(clip, 'queued');
        else if (state === 'failed') onEnd(this.#finish(clip, 'failed'));
      },
      progress: (event) => {
        if (event.type === 'notice') clip.add('notice', this.#forClient(clip, event.message));
        if (event.type !== 'frames') return;
        const { type: _, ...progress } = event;
        clip.progress = progress;
        clip.changed();
      },
      resumed: (frames) => {
        clip.resumedFrames = frames;
      },
      done: () => onEnd(this.#succeed(clip)),
      failedAttempt: ({ code, message }) => {
        const text = this.#forClient(clip, message);
        const field = this.#fieldOf(clip, message);
        record.error = { code, message: text, ...(field !== undefined && { field }) };
        return clip.attempts;
      },
      cancelled: () => {},
    };
  }

  #forClient(clip: Clip, message: string): string {
    const { folder, uploads } = this.#places(clip);
    return forClient(message, clip.record.request, uploads, folder);
  }

  /** The field whose file a message names. */
  #fieldOf(clip: Clip, message: string): string | undefined {
    const { request } = clip.record;
    const places = this.#places(clip);
    const job = clipJob(clip.id, 0, request, places);
    return Object.entries(job.options).find(
      ([key, value]) =>
        key !== 'output' && typeof value === 'string' && path.isAbsolute(value) && message.includes(value),
    )?.[0];
  }

  async #succeed(clip: Clip): Promise<void> {
    if (clip.hasEnded) return;
    const { data } = this.#parts;
    const job = await JobFolder.of(data.state, videoOf(clipFolder(data.clips, clip.id)));
    const found = await job.readRecord();
    if (found === undefined || clip.hasEnded) return;
    clip.record.result = { ...found.summary, bytes: found.bytes, sha256: found.sha256 };
    delete clip.record.error;
    await this.#finish(clip, 'succeeded');
  }

  async #finish(clip: Clip, state: 'succeeded' | 'failed'): Promise<void> {
    clip.record.finishedAt = new Date().toISOString();
    // An end that somebody has seen is still one after a kill: it is remembered before anybody is told.
    await this.#keep(clip, clip.recordIn(state));
    if (clip.hasEnded) return; // cancelled meanwhile
    await this.#enter(clip, state);
    this.#ended(clip);
  }

  #ended(clip: Clip): void {
    clip.progress = undefined;
    const live = liveOf(clipFolder(this.#parts.data.clips, clip.id));
    void rm(live, { force: true }); // who watches it keeps it to its end
    this.#count();
    this.#parts.onEnded(clip);
  }

  async #enter(clip: Clip, state: Clip['state']): Promise<void> {
    if (clip.state === state) return;
    if (state === 'processing') clip.record.startedAt ??= new Date().toISOString();
    clip.add('state', state);
    this.#count();
    this.#tell(clip);
    await this.#keep(clip);
  }

  /** Remembers a clip; one write at a time, so that the last is the last. */
  async #keep(clip: Clip, record = clip.record): Promise<void> {
    const before = this.#writes.get(clip) ?? Promise.resolve();
    const write = before.then(async () => {
      if (this.#clips.has(clip.id)) await writeClipRecord(this.#parts.data.clips, record);
    });
    const settled = write.catch((error: unknown) => {
      this.#parts.onEvent({
        type: 'notice',
        message: `clip ${shortId(clip.id)} cannot be remembered: ${String(error)}`,
      });
    });
    this.#writes.set(clip, settled);
    this.#running.add(settled);
    await settled;
    this.#running.delete(settled);
  }

  /** How many clips are before each that is queued. */
  #count(): void {
    let position = 0;
    for (const clip of this.#clips.values()) {
      if (clip.state !== 'queued') continue;
      if (clip.position !== position) {
        clip.position = position;
        clip.changed();
      }
      position += 1;
    }
  }

  #tell(clip: Clip): void {
    const { state, error } = clip.record;
    this.#parts.onEvent({
      ...{ type: 'clip', clip: shortId(clip.id), state },
      ...(state === 'failed' && error && { message: error.code }),
    });
  }
}

/** Why jobs end when the server does. */
const STOPPED = new Error('the server stops');
