/** A lock that processes and threads of one machine share by way of a file. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync, unlinkSync, utimesSync, writeSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

const POLL_MS = 100;
/** A lock whose holder has not been heard of for so long is nobody's any more. */
const STALE_MS = 120_000;
/** Files are touched at most this often. */
const TOUCH_MS = 2_000;

/** A lock that is held. */
export interface HeldLock {
  /** Shows that the holder is alive; to be called now and then in long work. */
  touch(): void;
  release(): void;
}

interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
}

/**
 * Takes the lock at `path`, or waits until its holder lets go of it, ends, or is silent for two minutes.
 *
 * @throws `signal.reason` if it aborts while waiting; the file system's error if no file can be made there.
 */
export async function lockFile(path: string, signal?: AbortSignal): Promise<HeldLock> {
  const holder: Holder = { token: randomUUID(), pid: process.pid, host: os.hostname() };
  for (;;) {
    if (tryLock(path, holder)) return held(path, holder);
    if (isAbandoned(path)) remove(path);
    else await wait(POLL_MS, undefined, signal && { signal });
  }
}

function tryLock(path: string, holder: Holder): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    writeSync(descriptor, JSON.stringify(holder));
  } catch (error) {
    // On a full disk there is room for a name, but not for what is in the file: nobody could tell whose it is.
    remove(path);
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return true;
}

function held(path: string, { token }: Holder): HeldLock {
  let touched = Date.now();
  return {
    touch: () => {
      const now = Date.now();
      if (now - touched < TOUCH_MS) return;
      touched = now;
      utimesSync(path, new Date(now), new Date(now));
    },
    release: () => {
      // Somebody may have taken it for abandoned meanwhile: theirs is left alone.
      if (readHolder(path)?.token === token) remove(path);
    },
  };
}

function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function isAbandoned(path: string): boolean {
  let modified: number;
  try {
    modified = statSync(path).mtimeMs;
  } catch {
    return false;
  }
  if (Date.now() - modified > STALE_MS) return true;
  const holder = readHolder(path);
  return holder !== undefined && holder.host === os.hostname() && !isRunning(holder.pid);
}

/** Whether a process of this machine lives. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
