/**
 * Keeps two programs from rendering one output at the same time: a file that names its holder. A holder that was killed
 * holds nothing: it is found out by its process, not by a clock.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { MediaError } from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Tells processes with one id apart, where the system says when they began. */
  readonly started: string;
}

/** Attempts to take over from holders that are gone; more would mean that many programs start at this moment. */
const MAX_TAKEOVERS = 5;
/** Of this process: its jobs know of each other. */
const held = new Set<string>();

/**
 * Takes the lock of a folder.
 *
 * @returns a function that gives it back; it may be called twice.
 * @throws {@link MediaError} if another program that still runs has it.
 */
export async function lockFolder(folder: string, output: string): Promise<() => Promise<void>> {
  const file = path.join(folder, 'lock.json');
  await mkdir(folder, { recursive: true });
  const own: Holder = { host: os.hostname(), pid: process.pid, started: await startOf(process.pid) };
  const refuse = ({ pid, host }: Holder) =>
    new MediaError(
      `Cannot write ${output}: expected to be the only program that does, got process ${pid} on ${host} that renders it` +
        (host === own.host ? '' : `; if it does not run any more, remove ${file}`),
      output,
    );
  if (held.has(file)) throw refuse(own);
  held.add(file);
  try {
    await take(file, own, refuse);
  } catch (error) {
    held.delete(file);
    throw error;
  }
  const forget = onProcessExit(() => rmSync(file, { force: true }));
  let released: Promise<void> | undefined;
  return () => {
    released ??= rm(file, { force: true }).then(() => {
      forget();
      held.delete(file);
    });
    return released;
  };
}

async function take(file: string, own: Holder, refuse: (holder: Holder) => MediaError): Promise<void> {
  // Written beside and linked, so that nobody ever reads half of it.
  const draft = `${file}.${randomBytes(4).toString('hex')}.partial`;
  try {
    for (let attempt = 0; ; attempt++) {
      await writeFile(draft, JSON.stringify(own));
      try {
        await link(draft, file);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // A program that has the lock removes what others have left, this draft among it.
        if (code === 'ENOENT' && attempt < MAX_TAKEOVERS) continue;
        if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') {
          if (await createWhole(file, own)) return; // a file system without links
        } else if (code !== 'EEXIST') throw error;
      }
      const holder = await readHolder(file);
      if (holder !== undefined && (attempt === MAX_TAKEOVERS || (await isAlive(holder, own)))) {
        throw refuse(holder);
      }
      await removeAbandoned(file, own, refuse);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** Writes the lock under its name, unless it is there. */
async function createWhole(file: string, own: Holder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(own), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a lock whose holder is gone, and not the one that another program has taken meanwhile. */
async function removeAbandoned(
  file: string,
  own: Holder,
  refuse: (holder: Holder) => MediaError,
): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const holder = await readHolder(aside);
  if (holder === undefined || !(await isAlive(holder, own))) {
    await rm(aside, { force: true });
    return;
  }
  await rename(aside, file);
  throw refuse(holder);
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

async function isAlive(holder: Holder, own: Holder): Promise<boolean> {
  if (holder.host !== own.host) return true; // cannot be known from here
  if (holder.pid === own.pid) return false; // this process has no lock on it: an earlier one with its id had
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const started = await startOf(holder.pid);
  return started === holder.started && started !== ZOMBIE;
}

const ZOMBIE = 'ended';

/** When a process began, in ticks since the machine did; empty where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? ZOMBIE : (fields[19] ?? '');
  } catch {
    return '';
  }
}
