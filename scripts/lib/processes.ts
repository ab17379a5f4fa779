/** Other processes of this machine, where the system lists them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Process ids of the child processes of `pid`; none on systems without /proc. */
export function childrenOf(pid: number): number[] {
  const tasks = found(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  // A thread that has ended since it was listed has none; those of the others count.
  const lists = tasks.map((task) => found(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')));
  return lists.join(' ').split(/\s+/).filter(Boolean).map(Number);
}

function found<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Whether a process runs; one that has ended but was not waited for does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== 'linux') return true;
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
