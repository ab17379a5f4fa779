/** Checks that media files can be read, before ffmpeg is started on them. */
import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import { describeFileProblem, isForeignName, MediaError } from '../errors.ts';

/**
 * Looks at `filePath` without opening it, so that a pipe does not block.
 *
 * @param kind - what is read, for the message: `audio` or `video`.
 * @throws {@link MediaError} unless it is a file, may be read, and has at least one byte.
 */
export async function assertReadableFile(filePath: string, kind: string): Promise<void> {
  const refuse = (got: string, cause?: unknown) =>
    new MediaError(`Cannot read ${kind} ${filePath}: expected a file, got ${got}`, filePath, { cause });
  let stats: Stats;
  try {
    stats = await stat(filePath);
    await access(filePath, constants.R_OK);
  } catch (error) {
    throw refuse(describeFileProblem(error), error);
  }
  // The working folder's name is a part of what other programs are given.
  if (isForeignName(path.resolve(filePath)))
    throw refuse('one in a folder whose name is not UTF-8; rename it');
  if (stats.isDirectory()) throw refuse('a folder');
  if (!stats.isFile()) throw refuse('a device or a pipe');
  if (stats.size === 0) throw refuse('one of zero bytes');
}
