/** What was written, as a hash: a file, or a folder of frames. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { hashFile } from '../files/hash-file.ts';

/**
 * Of a folder, the names and the contents of its files count.
 *
 * @throws the file system's error if it is not there or cannot be read.
 */
export async function hashOutput(
  output: string,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const names = await readdir(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (names === undefined) return hashFile(output);
  const hash = createHash('sha256');
  let bytes = 0;
  for (const name of names.sort()) {
    const file = await hashFile(path.join(output, name));
    hash.update(`${name}\0${file.sha256}\n`);
    bytes += file.bytes;
  }
  return { sha256: hash.digest('hex'), bytes };
}
