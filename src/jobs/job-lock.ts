/** Keeps two programs from rendering one output at the same time. */
import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import { type HeldLock, isHeld, tryLockFile } from '../files/file-lock.ts';
import { describeOwner, livenessOf, type ThreadOwner } from '../files/thread-owner.ts';

/** Another program renders the output: its video will be there without this program's work. */
export class OutputBusyError extends MediaError {
  readonly owner: ThreadOwner;
  /** The file that says so. */
  readonly lock: string;

  constructor(output: string, owner: ThreadOwner, lock: string) {
    super(
      `Cannot write ${output}: expected to be the only program that does, got ${describeOwner(owner)} that renders it` +
        (livenessOf(owner) === 'unknown' ? `; if it does not run any more, remove ${lock}` : ''),
      output,
    );
    this.owner = owner;
    this.lock = lock;
  }
}

/**
 * Takes the lock of an output's folder, which is made if there is none.
 *
 * @throws {@link OutputBusyError} if another program that still runs has it, or one on another machine that may do so.
 */
export async function lockFolder(folder: string, output: string): Promise<HeldLock> {
  await mkdir(folder, { recursive: true });
  const lock = await tryLockFile(path.join(folder, 'lock'));
  if (isHeld(lock)) return lock;
  throw new OutputBusyError(output, lock.owner, lock.file);
}

/** Holders show that they are alive several times in this time. */
const SILENCE_SECONDS = 120;

/** Tells how long to wait for those who render an output: as long as they are known to run, or show that they do. */
export class BusyOutputs {
  readonly #seen = new Map<string, { lock: string; modified: number; since: number }>();
  readonly #now: () => number;

  /** @param now - seconds on a clock that never goes back. */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
  }

  /** Whether the holder of the output's lock may still make it. */
  mayWait({ path: output, owner, lock }: OutputBusyError): boolean {
    const modified = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const before = this.#seen.get(output);
    if (before === undefined || before.lock !== lock || before.modified !== modified) {
      this.#seen.set(output, { lock, modified, since: this.#now() });
      return true;
    }
    return livenessOf(owner) === 'running' || this.#now() - before.since < SILENCE_SECONDS;
  }
}
