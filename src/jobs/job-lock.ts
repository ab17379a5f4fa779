/** Keeps two programs from rendering one output at the same time. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import { type HeldLock, isHeld, tryLockFile } from '../files/file-lock.ts';
import { describeOwner, livenessOf } from '../files/thread-owner.ts';

/**
 * Takes the lock of an output's folder, which is made if there is none.
 *
 * @throws {@link MediaError} if another program that still runs has it, or one on another machine that may do so.
 */
export async function lockFolder(folder: string, output: string): Promise<HeldLock> {
  await mkdir(folder, { recursive: true });
  const lock = await tryLockFile(path.join(folder, 'lock'));
  if (isHeld(lock)) return lock;
  const { owner, file } = lock;
  throw new MediaError(
    `Cannot write ${output}: expected to be the only program that does, got ${describeOwner(owner)} that renders it` +
      (livenessOf(owner) === 'unknown' ? `; if it does not run any more, remove ${file}` : ''),
    output,
  );
}
