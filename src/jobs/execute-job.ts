/**
 * One attempt at one job: is the video there already, else render it, from checkpoints if there are any. Batches,
 * workers of a queue and `animate --resume` all go this way.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import type { HeldLock } from '../files/file-lock.ts';
import { removePartials } from '../files/partial-name.ts';
import type { AnimateResult, ProgressEvent } from '../pipeline/animate-options.ts';
import type { ClipCheckpoints } from '../pipeline/clip-checkpoints.ts';
import { shownFile } from '../pipeline/resolve-options.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import type { ClipRenderer, PreparedRender } from './clip-renderer.ts';
import { contentKey, type FileHashes } from './content-key.ts';
import { hashOutput } from './hash-output.ts';
import { JobTimeoutError } from './job-failure.ts';
import { JobFolder, type RecordedClip } from './job-folder.ts';
import { lockFolder } from './job-lock.ts';
import type { BatchJob } from './manifest.ts';
import { TimeLimit } from './time-limit.ts';

/** Where a job runs. */
interface JobSurroundings {
  readonly stateFolder: string;
  readonly hashes: FileHashes;
  readonly renderer: ClipRenderer;
  readonly signal: AbortSignal;
  /** Waits until it is this job's turn to be prepared. */
  readonly whilePreparing: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onState: (state: 'preparing' | 'ready' | 'rendering', known?: Partial<RecordedClip>) => void;
  readonly onProgress: (event: ProgressEvent) => void;
  /** Frames that come from checkpoints. */
  readonly onResume: (frames: number) => void;
  /** Whether other programs on this machine may want the same output. */
  readonly lock: boolean;
  /** A key that the inputs must have: the process that queued the job found them so. */
  readonly expectedKey?: string;
  /** Called before the video gets its name; throws if that is not for this program to do any more. */
  readonly confirm?: () => Promise<void>;
}

/** A job whose video is there. */
interface FinishedJob {
  /** The video was there before. */
  readonly reused: boolean;
  readonly clip: RecordedClip;
  /** Of this rendering; absent when reused. */
  readonly result?: AnimateResult;
}

/**
 * Makes sure that a job's video is there.
 *
 * @throws what `animate` throws.
 * @throws {@link JobTimeoutError} after the job's `timeout`; checkpoints stay.
 * @throws {@link MediaError} if the output is a file from elsewhere, or another program renders it.
 * @throws `signal.reason` if it aborts; checkpoints stay.
 */
export async function executeJob(job: BatchJob, surroundings: JobSurroundings): Promise<FinishedJob> {
  const { signal: outer, stateFolder } = surroundings;
  outer.throwIfAborted();
  const { output } = job.options;
  const limitReached = new AbortController();
  const limit = new TimeLimit(job.timeout, () => {
    const message = `Cannot finish ${job.name}: expected at most ${job.timeout} s, got no end; a longer timeout resumes from its checkpoints`;
    limitReached.abort(new JobTimeoutError(message));
  });
  const signal = AbortSignal.any([outer, limitReached.signal]);
  const onProgress = (event: ProgressEvent): void => {
    if (event.type === 'stage' && event.stage === 'render') {
      limit.start();
      surroundings.onState('rendering');
    }
    surroundings.onProgress(event);
  };
  const inside = { ...surroundings, signal, onProgress };
  let lock: HeldLock | undefined;
  try {
    const prepared = await surroundings.whilePreparing(async () => {
      signal.throwIfAborted();
      limit.start();
      surroundings.onState('preparing');
      await makeFolder(output);
      const folder = await JobFolder.of(stateFolder, output);
      if (surroundings.lock) lock = await lockFolder(folder.path, output);
      await Promise.all([removePartials(output), folder.removePartials()]);
      const found = await prepareUnlessDone(job, folder, inside);
      limit.stop();
      return found;
    });
    if ('clip' in prepared) return { reused: true, clip: prepared.clip };
    return await renderPrepared(prepared, inside.onState);
  } catch (error) {
    // What fails while a job is being stopped fails because of it.
    signal.throwIfAborted();
    throw error;
  } finally {
    limit.stop();
    lock?.release();
  }
}

async function makeFolder(output: string): Promise<void> {
  try {
    await mkdir(path.dirname(output), { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new MediaError(
      `Cannot write ${output}: expected a folder that can be made, got an error (${code})`,
      output,
      { cause: error },
    );
  }
}

/** A clip that is ready for the engine, with all that belongs to it. */
interface PreparedJob {
  readonly clip?: never;
  readonly render: PreparedRender;
  readonly store: CheckpointStore;
  /** Of the video, once it is complete. */
  readonly published: { clip?: RecordedClip };
}

async function prepareUnlessDone(
  job: BatchJob,
  folder: JobFolder,
  surroundings: JobSurroundings,
): Promise<PreparedJob | { readonly clip: RecordedClip }> {
  const { hashes, signal, renderer, expectedKey, onProgress } = surroundings;
  const { output } = job.options;
  const key = await contentKey(job.options, hashes);
  if (expectedKey !== undefined && key !== expectedKey) {
    throw new MediaError(
      `Cannot render ${job.name}: expected the portrait, speech, LoRAs and bundle that were queued, got others under their names`,
      shownFile(job.options),
    );
  }
  signal.throwIfAborted();
  const found = await folder.outputState(key);
  if (found.kind === 'done') {
    await folder.removeCheckpoints(); // of a run that was ended just before it did
    return { clip: found.record.summary };
  }
  if (found.kind === 'foreign' && job.options.overwrite !== true) {
    throw new MediaError(
      [
        `Cannot write ${output}: expected a new file, got one that this batch did not make, or that was changed since; ` +
          'choose another name, or set ',
        { option: 'overwrite', value: true },
      ],
      output,
    );
  }

  // A clip that is ready may wait for others: that is no work of its own.
  const begin = performance.now();
  let prepareMs = 0;
  let renderBegin = begin;
  const timed = (event: ProgressEvent): void => {
    if (event.type === 'stage' && event.stage === 'render') renderBegin = performance.now();
    onProgress(event);
  };
  const store = new CheckpointStore({
    folder: folder.checkpoints,
    key,
    onWarning: (message) => onProgress({ type: 'notice', message }),
  });
  const published: { clip?: RecordedClip } = {};
  const render = await renderer.prepare({
    options: { ...job.options, overwrite: found.kind !== 'missing', signal, onProgress: timed },
    livePath: job.livePath,
    checkpoints: countingFrames(store, surroundings.onResume),
    beforePublish: async (partial) => {
      await surroundings.confirm?.();
      const [{ sha256, bytes }, replaced] = await Promise.all([
        hashOutput(partial),
        hashOutput(output).catch(() => undefined),
      ]);
      const { frames, fps, width, height } = render;
      const clip = {
        frames,
        fps,
        width,
        height,
        seconds: (prepareMs + performance.now() - renderBegin) / 1000,
      };
      await folder.writeRecord({
        key,
        sha256,
        bytes,
        summary: clip,
        ...(replaced && { replaces: replaced.sha256 }),
      });
      published.clip = clip;
    },
  });
  prepareMs = performance.now() - begin;
  return { render, store, published };
}

async function renderPrepared(
  { render, store, published }: PreparedJob,
  onState: JobSurroundings['onState'],
): Promise<FinishedJob> {
  try {
    const { frames, fps, width, height } = render;
    onState('ready', { frames, fps, width, height });
    const result = await render.render();
    await store.remove();
    return { reused: false, clip: published.clip ?? { frames, fps, width, height, seconds: 0 }, result };
  } finally {
    await render.dispose();
    await store.flush().catch(() => {}); // reported by the rendering, or not needed any more
  }
}

/** Tells how many frames checkpoints gave. */
function countingFrames(store: CheckpointStore, onResume: (frames: number) => void): ClipCheckpoints {
  return {
    load: async (shape) => {
      const resume = await store.load(shape);
      if (resume !== undefined) onResume(resume.state.finalBefore.at(-1)!);
      return resume;
    },
    save: (point) => store.save(point),
    flush: () => store.flush(),
  };
}
