/** Who holds a lock or writes a folder: one thread of one process on one machine, and whether it still runs. */
import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

/** A thread, distinguished from every earlier one, where the system says when threads began. */
export interface ThreadOwner {
  readonly host: string;
  readonly pid: number;
  /** The system's number of the thread; 0 where it cannot be had. */
  readonly thread: number;
  /** When the thread began, in hexadecimal: boot and tick; empty where it cannot be had. */
  readonly started: string;
}

/** What can be said of an owner from here; of other machines' nothing can. */
type Liveness = 'running' | 'ended' | 'unknown';

/** Host names have up to 64 bytes on Linux; more would not fit into file names with all that comes before. */
const MAX_HOST_LENGTH = 64;

/** The thread that calls this. */
export function currentOwner(): ThreadOwner {
  const host = os.hostname().slice(0, MAX_HOST_LENGTH);
  const { pid } = process;
  let thread = 0;
  try {
    // Asked for synchronously: promises of the file system are kept by other threads.
    thread = Number(/\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1] ?? 0);
  } catch {
    // Not Linux.
  }
  return { host, pid, thread, started: readThread(pid, thread)?.started ?? '' };
}

/**
 * Whether an owner still runs. Process ids are given again: where the system says when a thread began, it must be the
 * same one. A zombie has ended. Processes that share a host name have to share process ids, too: containers on one folder
 * need names of their own, as they have by default.
 */
export function livenessOf(
  owner: ThreadOwner,
  host: string = os.hostname().slice(0, MAX_HOST_LENGTH),
): Liveness {
  if (owner.host !== host) return 'unknown';
  let isOurs = true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'ended';
    isOurs = false;
  }
  if (owner.started === '') return 'running';
  const thread = readThread(owner.pid, owner.thread);
  // Other users' processes may be hidden.
  if (thread === undefined) return isOurs ? 'ended' : 'running';
  return thread.started === owner.started && !thread.isZombie ? 'running' : 'ended';
}

/** The owner as a part of file names, for {@link parseOwner}. */
export function formatOwner({ host, pid, thread, started }: ThreadOwner): string {
  return `${pid}-${thread}-${started}-${encodeURIComponent(host)}`;
}

/** Reads what {@link formatOwner} wrote; of anything else, nothing. */
export function parseOwner(text: string): ThreadOwner | undefined {
  const match = /^(\d+)-(\d+)-([0-9a-f]*)-(.+)$/.exec(text);
  if (match === null) return undefined;
  const [, pid, thread, started, host] = match as unknown as [string, string, string, string, string];
  try {
    return { host: decodeURIComponent(host), pid: Number(pid), thread: Number(thread), started };
  } catch {
    return undefined;
  }
}

/** The owner for messages. */
export function describeOwner({ pid, host }: ThreadOwner): string {
  return `process ${pid} on ${host}`;
}

/** State and beginning of a thread. Source: proc_pid_stat(5), fields 3 and 22. */
function readThread(
  pid: number,
  thread: number,
): { readonly isZombie: boolean; readonly started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[19]);
    return { isZombie: /^[ZXx]$/.test(fields[0]!), started: `${bootId()}${ticks.toString(16)}` };
  } catch {
    return undefined;
  }
}

let boot: string | undefined;

/** Eight digits that differ from one start of the machine to the next: ticks count from there. */
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
  return boot;
}
