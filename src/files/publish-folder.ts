/** Folders that are there whole or not at all. */
import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { partialPath } from './partial-name.ts';
import { syncFile, syncFolder } from './write-durably.ts';

/**
 * Makes a folder durable that is complete, then visible as `target`.
 *
 * @param options - `replace`: whether a folder that is there and not empty may go.
 * @throws the file system's error, with the code `EEXIST` or `ENOTEMPTY` if something is there that may not be replaced.
 */
export async function publishFolder(
  partial: string,
  target: string,
  { replace }: { readonly replace: boolean },
): Promise<void> {
  for (const name of await readdir(partial)) await syncFile(path.join(partial, name));
  await syncFolder(partial);
  const before = partialPath(target);
  if (replace) await rename(target, before).catch(ignoreMissing);
  // An empty folder is in the way on some systems; one with files stays, and the next step fails.
  else await rmdir(target).catch(ignoreMissing);
  try {
    await rename(partial, target);
  } catch (error) {
    if (replace) await rename(before, target).catch(() => {});
    throw error;
  }
  await rm(before, { recursive: true, force: true });
  await syncFolder(path.dirname(target));
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
