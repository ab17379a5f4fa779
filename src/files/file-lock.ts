/**
 * A lock that threads, processes and machines share by way of a folder.
 *
 * Lamport's bakery: a waiter announces itself, takes a ticket whose number is one more than the highest that
 * it sees, and has its turn when nobody with a lower ticket is left. Announcements and tickets are empty files whose names
 * say who made them. No name is ever used twice and no process comes back after its end, so that files of those that have
 * ended may be removed by anybody at any time: unlike one file for all, which another process may have recreated between the
 * look at it and its removal, this never gives an abandoned lock to two. Nothing is ever read from a file, so that none can
 * be half written, also on a full disk, and the file system need not know links.
 *
 * Source: Lamport 1974, "A new solution of Dijkstra's concurrent programming problem", CACM 17(8).
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EnvironmentError } from '../errors.ts';
import { onProcessExit } from './exit-cleanup.ts';
import {
  currentOwner,
  describeOwner,
  formatOwner,
  livenessOf,
  parseOwner,
  type ThreadOwner,
} from './thread-owner.ts';

const POLL_MS = 50;
/** Somebody who takes a ticket has it within this, but on a stalled disk. */
const ANNOUNCED_POLL_MS = 2;
/** A lock is refused when the same ticket is before ours so often: one that is about to be given back is not held. */
const LOOKS_BEFORE_REFUSAL = 3;
/** Announcements that stay so many looks are taken for tickets where the lock is refused. */
const LOOKS_AT_ANNOUNCEMENTS = 1000;
/** Holders show this often that they are alive, to machines that cannot ask for their process. */
const TOUCH_MS = 10_000;
/** @see {@link LockOptions.silenceMs} */
const SILENCE_MS = 120_000;

/** A lock that is held. */
export interface HeldLock {
  /** Shows that the holder is alive; to be called now and then in long work that does not let timers run. */
  touch(): void;
  /** Gives it back; may be called twice. */
  release(): void;
}

/** Options of {@link lockFile}. */
interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds after which one is refused that waits for another machine's process which does not show that it is
   * alive. @defaultValue two minutes
   */
  readonly silenceMs?: number | undefined;
}

/** Somebody else has the lock. */
interface LockHolder {
  readonly owner: ThreadOwner;
  /** The file that says so; to be removed by hand if the owner does not run and this cannot be found out from here. */
  readonly file: string;
}

/**
 * Takes the lock `name`, or waits in line until all that came before have given it back or ended.
 *
 * @param name - path of a file that need not exist, in a folder that does; the files of the lock begin with it.
 * @throws `signal.reason` if it aborts while waiting.
 * @throws {@link EnvironmentError} if another machine's process has it and shows no sign of life.
 * @throws the file system's error if no file can be made there.
 */
export async function lockFile(
  name: string,
  { signal, silenceMs = SILENCE_MS }: LockOptions = {},
): Promise<HeldLock> {
  const ticket = takeTicket(name);
  try {
    const silence = new Silence();
    for (;;) {
      signal?.throwIfAborted();
      const before = ticketsBefore(name, ticket);
      if (before === undefined) return holdLock(ticket);
      silence.look(before);
      if (silence.milliseconds > silenceMs) {
        throw new EnvironmentError(
          `Cannot lock ${name}: expected ${describeOwner(before.owner)} to give it back or to show that it is alive, got ` +
            `no sign for ${Math.round(silence.milliseconds / 1000)} s; if it does not run any more, remove ${before.file}`,
        );
      }
      await wait(before.number === 0 ? ANNOUNCED_POLL_MS : POLL_MS, undefined, signal && { signal });
    }
  } catch (error) {
    removeFile(ticket.file);
    throw error;
  }
}

/**
 * Takes the lock `name`, unless somebody has it or waits for it.
 *
 * @param name - as for {@link lockFile}.
 * @throws the file system's error if no file can be made there.
 */
export async function tryLockFile(name: string): Promise<HeldLock | LockHolder> {
  const ticket = takeTicket(name);
  try {
    const seen = new Map<string, number>();
    for (;;) {
      const before = ticketsBefore(name, ticket);
      if (before === undefined) return holdLock(ticket);
      const looks = (seen.get(before.file) ?? 0) + 1;
      seen.set(before.file, looks);
      if (looks >= (before.number === 0 ? LOOKS_AT_ANNOUNCEMENTS : LOOKS_BEFORE_REFUSAL)) {
        removeFile(ticket.file);
        return { owner: before.owner, file: before.file };
      }
      await wait(before.number === 0 ? ANNOUNCED_POLL_MS : POLL_MS);
    }
  } catch (error) {
    removeFile(ticket.file);
    throw error;
  }
}

/** Whether {@link tryLockFile} was given the lock. */
export function isHeld(result: HeldLock | LockHolder): result is HeldLock {
  return 'release' in result;
}

interface Ticket {
  /** 0 is an announcement: its owner is about to take a ticket. */
  readonly number: number;
  readonly owner: ThreadOwner;
  readonly file: string;
}

/** Without a pause between, so that others need not wait for a thread that does something else meanwhile. */
function takeTicket(name: string): Ticket {
  const owner = currentOwner();
  const token = randomBytes(4).toString('hex');
  const make = (number: number): Ticket => {
    const file = `${name}.${number}-${token}-${formatOwner(owner)}`;
    closeSync(openSync(file, 'wx'));
    return { number, owner, file };
  };
  const announced = make(0);
  try {
    return make(1 + Math.max(0, ...listTickets(name).map(({ number }) => number)));
  } finally {
    removeFile(announced.file);
  }
}

/** The first in line before `own`, or somebody who may yet be; undefined when it is the turn of `own`. */
function ticketsBefore(name: string, own: Ticket): Ticket | undefined {
  const announced = listTickets(name).find(({ number }) => number === 0);
  if (announced !== undefined) return announced;
  // A second look, as in the source: who took a lower ticket had it before its announcement went, so that it is seen now,
  // and who announces itself after the first look sees our ticket and takes a higher one.
  const [first] = listTickets(name)
    .filter(({ number }) => number > 0)
    .sort((a, b) => a.number - b.number || (a.file < b.file ? -1 : 1));
  if (first === undefined) {
    throw new EnvironmentError(
      `Cannot lock ${name}: expected to wait in line, got ${own.file} removed by another program`,
    );
  }
  return first.file === own.file ? undefined : first;
}

/** Announcements and tickets of owners that run, or may do so; removes all others. */
function listTickets(name: string): Ticket[] {
  const folder = path.dirname(name);
  const start = `${path.basename(name)}.`;
  const tickets: Ticket[] = [];
  for (const entry of readdirSync(folder)) {
    const match = entry.startsWith(start) && /^(\d+)-[0-9a-f]{8}-(.+)$/.exec(entry.slice(start.length));
    if (!match) continue;
    const owner = parseOwner(match[2]!);
    if (owner === undefined) continue;
    const file = path.join(folder, entry);
    if (livenessOf(owner) === 'ended') removeFile(file);
    else tickets.push({ number: Number(match[1]), owner, file });
  }
  return tickets;
}

function holdLock({ file }: Ticket): HeldLock {
  const forget = onProcessExit(() => removeFile(file));
  const touch = (): void => {
    const now = new Date();
    utimesSync(file, now, now);
  };
  let touched = performance.now();
  const timer = setInterval(() => {
    try {
      touch();
    } catch {
      // Removed by hand, or the disk is gone: who does the work finds out.
    }
  }, TOUCH_MS).unref();
  return {
    touch: () => {
      if (performance.now() - touched < TOUCH_MS) return;
      touched = performance.now();
      touch();
    },
    release: () => {
      clearInterval(timer);
      removeFile(file);
      forget();
    },
  };
}

/** Measures by this process's clock how long a file has stayed as it is: clocks of machines differ. */
class Silence {
  #file = '';
  #modified = 0;
  #since = 0;
  /** 0 while the owner's life is known. */
  milliseconds = 0;

  look({ file, owner }: Ticket): void {
    const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (file !== this.#file || modified !== this.#modified || livenessOf(owner) !== 'unknown') {
      this.#file = file;
      this.#modified = modified;
      this.#since = performance.now();
    }
    this.milliseconds = performance.now() - this.#since;
  }
}

function removeFile(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Of one that has ended, it counts for nothing; of this process, it goes when the process does.
  }
}
