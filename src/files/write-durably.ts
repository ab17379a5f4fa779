/** Files that are there whole or not at all, also after a power cut. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Replaces a text file in one step; after a power cut there is the old or the new text. */
export async function writeDurably(file: string, text: string): Promise<void> {
  await replaceDurably(file, (handle) => handle.writeFile(text));
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
  const temporary = `${file}.${randomBytes(4).toString('hex')}.partial`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(path.dirname(file));
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
