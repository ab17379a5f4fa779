/** Files that are there whole or not at all, also after a power cut or on a full disk. */
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { partialPath } from './partial-name.ts';

/** The part of an open file that a writer needs. */
export type FileSink = Pick<FileHandle, 'write'>;

/** Writes all of `data`: a single write may take less, above all on a disk that is nearly full. */
export async function writeAll(file: FileSink, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await file.write(data, done, data.length - done)).bytesWritten;
  }
}

/** Replaces a file in one step; after a power cut there is the old or the new one. */
export async function writeDurably(file: string, data: string | Uint8Array): Promise<void> {
  await replaceDurably(file, (handle) => handle.writeFile(data));
}

/**
 * Replaces a file in one step; after a power cut there is the old or the new one.
 *
 * @param write - writes all of the new file. If it throws, the old one stays.
 */
export async function replaceDurably(
  file: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const partial = partialPath(file);
  try {
    const handle = await open(partial, 'wx');
    try {
      await write(handle);
    } finally {
      await handle.close();
    }
    await publishFile(partial, file, { replace: true });
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * Makes a file durable that is complete, then visible as `target` in one step.
 *
 * @param options - `replace`: whether a file that is there may be replaced.
 * @throws the file system's error, with the code `EEXIST` if a file is there that may not be replaced.
 */
export async function publishFile(
  partial: string,
  target: string,
  { replace }: { readonly replace: boolean },
): Promise<void> {
  await syncFile(partial);
  if (replace) await rename(partial, target);
  else await linkOrRename(partial, target);
  await syncFolder(path.dirname(target));
}

/** Unlike a rename, a link fails if the name is taken; file systems without links have to do with the caller's earlier check. */
async function linkOrRename(partial: string, target: string): Promise<void> {
  try {
    await link(partial, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    await rename(partial, target);
    return;
  }
  await rm(partial, { force: true }).catch(() => {});
}

/** Errors of file systems that cannot be asked to write through, as some of networks and of user space are. */
const NO_SYNC: ReadonlySet<unknown> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Waits until what was written to a file is on the disk, where the file system knows how to.
 *
 * @throws the file system's error if it could not write.
 */
export async function syncHandle(handle: Pick<FileHandle, 'sync'>): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (!NO_SYNC.has((error as NodeJS.ErrnoException).code)) throw error;
  }
}

/** Waits until a file's contents are on the disk, see {@link syncHandle}. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await syncHandle(handle);
  } finally {
    await handle.close();
  }
}

/**
 * Makes names in a folder durable. Not every file system lets a folder be opened: files are durable then, their names may be
 * lost with the power.
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
