/** Why a job failed, and whether another attempt can help. */
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { MediaError, PipelineError, SubprocessError } from '../errors.ts';
import { isPartialName } from '../files/partial-name.ts';

/**
 * `permanent`: would fail again. `passing`: may work at another attempt. `disk-full`: works when there is space.
 */
export type FailureKind = 'permanent' | 'passing' | 'disk-full';

/** A failure as it stands in events and reports. */
export interface JobFailure {
  readonly kind: FailureKind;
  /** `code` of the error, `TIMEOUT`, or `UNEXPECTED` for a bug. */
  readonly code: string;
  readonly message: string;
}

/** A job took longer than its `timeout`. */
export class JobTimeoutError extends PipelineError {
  readonly code = 'TIMEOUT';
}

/** System errors that come and go: busy or unreachable disks, too many open files, memory, a network share that blinks. */
const PASSING_CODES: ReadonlySet<unknown> = new Set([
  'EAGAIN',
  'EBUSY',
  'EINTR',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOLCK',
  'ESTALE',
  'ETIMEDOUT',
  'ETXTBSY',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EREMOTEIO',
  'ENOTCONN',
]);
const FULL_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
/** ffmpeg tells of a full disk in words only. */
const FULL_WORDS = /No space left on device|Disk quota exceeded/;
/** Below this, a video that could not be completed failed for want of space. */
const FULL_BYTES = 4_000_000;

/** The error and all that it wraps. */
function* chainOf(error: unknown): Generator<unknown> {
  for (let cause = error, depth = 0; cause != null && depth < 16; depth++) {
    yield cause;
    cause = (cause as { cause?: unknown }).cause;
  }
}

/** Whether a write failed for want of space, as far as the error itself tells. */
export function isDiskFull(error: unknown): boolean {
  for (const each of chainOf(error)) {
    if (FULL_CODES.has((each as { code?: unknown }).code)) return true;
    if (each instanceof SubprocessError && FULL_WORDS.test(each.stderrTail)) return true;
  }
  return false;
}

/**
 * Sorts what a job threw.
 *
 * @param folder - where the job writes; looked at when ffmpeg leaves open whether its disk was full.
 */
export async function describeFailure(error: unknown, folder: string): Promise<JobFailure> {
  const code = error instanceof PipelineError ? error.code : 'UNEXPECTED';
  const text = error instanceof Error ? error.message : String(error);
  const message = error instanceof PipelineError ? text : `${text || 'no message'} (unexpected)`;
  return { kind: await kindOf(error, folder), code, message: message.trim().replace(/\s*\n\s*/g, '; ') };
}

/** An unfinished file that is gone was removed by somebody who did not know it: the next attempt writes another. */
function isLostPartial(error: unknown): boolean {
  const { code, path: file } = error as { code?: unknown; path?: unknown };
  return code === 'ENOENT' && typeof file === 'string' && isPartialName(path.basename(file));
}

async function kindOf(error: unknown, folder: string): Promise<FailureKind> {
  if (isDiskFull(error)) return 'disk-full';
  if (error instanceof JobTimeoutError) return 'permanent';
  for (const each of chainOf(error)) {
    if (PASSING_CODES.has((each as { code?: unknown }).code) || isLostPartial(each)) return 'passing';
  }
  const wasWriting = error instanceof SubprocessError || error instanceof MediaError;
  if (wasWriting) {
    const disk = await statfs(folder).catch(() => undefined);
    if (disk !== undefined && disk.bavail * disk.bsize < FULL_BYTES) return 'disk-full';
  }
  // ffmpeg was ended from outside, for want of memory as a rule; its own complaints are about the input.
  if (error instanceof SubprocessError) return error.signal === null ? 'permanent' : 'passing';
  // A worker thread that ended, an engine out of memory: the next attempt gets new ones.
  return error instanceof PipelineError ? 'permanent' : 'passing';
}
