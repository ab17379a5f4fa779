/** A job on its way through a queue, between machines that see one folder under different paths. */
import path from 'node:path';
import { resolveOutput } from '../media/prepare-output.ts';
import type { AnimateOptions, RenderingProgress } from '../pipeline/animate-options.ts';
import { JOB_OPTION_KEYS, withPaths } from '../pipeline/options/clip-keys.ts';
import type { FailedAttempt, JobState } from './batch-events.ts';
import type { RecordedClip } from './job-folder.ts';
import type { BatchJob } from './manifest.ts';

/** Of {@link QueuedJob}; a worker refuses others. */
export const QUEUED_FORMAT = 2;

/** What is in the queue. Paths within the shared folder are relative to it, with slashes. */
export interface QueuedJob {
  readonly format: number;
  readonly name: string;
  /** Content key: a worker whose files differ refuses the job. */
  readonly key: string;
  /** The shared folder as the process that queued the job sees it. */
  readonly root: string;
  readonly output: string;
  readonly stateFolder: string;
  /** Those of the clip, without the machine's and the output. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly timeout?: number;
  /** Of the video that can be played meanwhile. */
  readonly livePath?: string;
  readonly attempts: number;
  /** Nobody wants it any more: the worker that has it ends it. */
  readonly unwanted?: true;
}

/** What a worker tells while it has a job; kept with the job. */
export interface QueuedProgress {
  readonly state: JobState;
  readonly worker: string;
  readonly failures: readonly FailedAttempt[];
  readonly resumedFrames: number;
  readonly clip?: Partial<RecordedClip>;
  readonly frames?: RenderingProgress;
  /** What was noticed on the way, files named as in the process that queued the job. */
  readonly notices?: readonly string[];
}

/** What a worker gives back. */
export interface QueuedResult {
  readonly reused: boolean;
  readonly clip: RecordedClip;
  readonly worker: string;
  readonly denoiseSeconds?: number;
}

/** Whether a job's progress is what workers write. */
export function isProgress(progress: unknown): progress is QueuedProgress {
  return typeof progress === 'object' && progress !== null && 'failures' in progress && 'state' in progress;
}

/** Puts a job into the form that travels. */
export function packJob(job: BatchJob, key: string, root: string, stateFolder: string): QueuedJob {
  const travels: readonly string[] = JOB_OPTION_KEYS;
  const entries = Object.entries(withPaths(job.options, (file) => toShared(root, file)));
  const { output, ...options } = Object.fromEntries(entries.filter(([name]) => travels.includes(name)));
  return {
    format: QUEUED_FORMAT,
    name: job.name,
    key,
    root,
    output: output as string,
    stateFolder: toShared(root, stateFolder),
    options,
    attempts: job.attempts,
    ...(job.timeout !== undefined && { timeout: job.timeout }),
    ...(job.livePath !== undefined && { livePath: toShared(root, job.livePath) }),
  };
}

/**
 * The job as this machine sees it.
 *
 * @param sharedFolder - where the shared folder is here; undefined if it has the same path everywhere.
 */
export function unpackJob(
  queued: QueuedJob,
  sharedFolder: string | undefined,
): { readonly job: BatchJob; readonly stateFolder: string } {
  const root = sharedFolder ?? queued.root;
  const local = (file: string) => resolveOutput(root, file);
  const packed = { ...queued.options, output: queued.output } as AnimateOptions;
  return {
    job: {
      index: 0,
      name: queued.name,
      place: 'queue',
      // A name that is no path has no slash.
      options: withPaths(packed, (file, { to }) =>
        to === 'name' && !file.includes('/') ? file : local(file),
      ),
      priority: 0,
      attempts: queued.attempts,
      ...(queued.timeout !== undefined && { timeout: queued.timeout }),
      ...(queued.livePath !== undefined && { livePath: local(queued.livePath) }),
    },
    stateFolder: local(queued.stateFolder),
  };
}

/** A message with the paths of the process that queued the job in place of those of this machine. */
export function inQueuedWords(
  message: string,
  { root }: QueuedJob,
  sharedFolder: string | undefined,
): string {
  return sharedFolder === undefined ? message : message.replaceAll(path.resolve(sharedFolder), root);
}

/** A path as it is called within the shared folder; one outside of it, or the name of a bundle, stays as it is. */
function toShared(root: string, file: string): string {
  if (!path.isAbsolute(file)) return file;
  const relative = path.relative(root, file);
  if (relative.startsWith('..') || path.isAbsolute(relative)) return file;
  const slash = /[/\\]$/.test(file) ? '/' : '';
  return `./${relative.replaceAll(path.sep, '/')}${slash}`;
}
