/** The folder of a report: one comparison at a time writes into it, and every file appears when it is complete. */
import { mkdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import { type HeldLock, isHeld, tryLockFile } from '../files/file-lock.ts';
import { describeOwner, livenessOf } from '../files/thread-owner.ts';
import { writeDurably } from '../files/write-durably.ts';

const LOCK = '.lcm-portrait-compare.lock';
/** For what is not finished yet. */
const DRAFTS = '.unfinished';

/** Names of what a report consists of. */
export const REPORT_FILES = {
  json: 'report.json',
  html: 'report.html',
  /** Of a page that does not hold them itself. */
  style: 'report.css',
  script: 'report.js',
  sideBySide: 'side-by-side.mp4',
  videos: 'videos',
} as const;

/** Path of a variant's video, relative to the report. */
export function videoOf(id: string): string {
  return `${REPORT_FILES.videos}/${id}.mp4`;
}

/** A locked folder. */
export class ReportFolder {
  readonly path: string;
  readonly #lock: HeldLock;

  private constructor(folder: string, lock: HeldLock) {
    this.path = folder;
    this.#lock = lock;
  }

  /**
   * Makes the folder where there is none, and locks it. A lock whose process has ended is taken over.
   *
   * @param force - whether a report that is there may be replaced.
   * @throws {@link MediaError} if it is a file, cannot be written, is in use, or holds a report and `force` is not set.
   */
  static async open(folder: string, { force }: { readonly force: boolean }): Promise<ReportFolder> {
    const target = path.resolve(folder);
    const refuse = (expected: string, got: string, cause?: unknown): MediaError =>
      new MediaError(`Cannot write report to ${folder}: expected ${expected}, got ${got}`, folder, { cause });
    try {
      await mkdir(target, { recursive: true });
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw code === 'EEXIST' || code === 'ENOTDIR'
        ? refuse('a folder', 'a file', cause)
        : refuse('a folder that can be made', `an error (${code})`, cause);
    }
    const lock = await tryLockFile(path.join(target, LOCK)).catch((cause: NodeJS.ErrnoException) => {
      throw refuse('a folder that can be written', `an error (${cause.code}); choose another`, cause);
    });
    if (!isHeld(lock)) {
      throw refuse(
        'a folder that no other comparison writes to',
        `one in use by ${describeOwner(lock.owner)}; choose another` +
          (livenessOf(lock.owner) === 'unknown' ? `, or remove ${lock.file} if that process is gone` : ''),
      );
    }
    const opened = new ReportFolder(target, lock);
    const there = await stat(path.join(target, REPORT_FILES.json)).catch(() => undefined);
    if (there !== undefined && !force) {
      opened.release();
      const taken = `Cannot write report to ${folder}: expected a folder without a report, got one with a report; choose another, or set `;
      throw new MediaError([taken, { option: 'overwrite', value: true }], folder);
    }
    await opened.discardDrafts();
    return opened;
  }

  /** Where a file of the report lies; makes the folder above it. */
  async pathOf(name: string): Promise<string> {
    const file = path.join(this.path, name);
    await mkdir(path.dirname(file), { recursive: true });
    return file;
  }

  /** Writes a whole file, which replaces one that is there in one step. */
  async write(name: string, data: string | Uint8Array): Promise<void> {
    const target = await this.pathOf(name);
    try {
      await writeDurably(target, data);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new MediaError(
        `Cannot write ${target}: expected room for a file, got an error (${code})`,
        target,
        {
          cause,
        },
      );
    }
  }

  /** Where a video lies until {@link ReportFolder.publishVideos}: an earlier report stays whole until then. */
  draftOf(id: string): Promise<string> {
    return this.pathOf(path.join(DRAFTS, videoOf(id)));
  }

  /** A place for something that goes before the folder is unlocked. */
  temporary(name: string): Promise<string> {
    return this.pathOf(path.join(DRAFTS, name));
  }

  /** Puts the drafts in place of an earlier report's videos. */
  async publishVideos(): Promise<void> {
    const videos = path.join(this.path, REPORT_FILES.videos);
    await rm(videos, { recursive: true, force: true });
    await rename(path.join(this.path, DRAFTS, REPORT_FILES.videos), videos);
  }

  /** Removes everything that is not finished, also what an earlier process has left. */
  async discardDrafts(): Promise<void> {
    await rm(path.join(this.path, DRAFTS), { recursive: true, force: true });
  }

  /** Removes a folder in which nothing is; to be called after {@link ReportFolder.release}. */
  async removeIfEmpty(): Promise<void> {
    await rmdir(this.path).catch(() => {});
  }

  /** Unlocks the folder; may be called twice. */
  release(): void {
    this.#lock.release();
  }
}
