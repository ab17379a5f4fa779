/** What a process and its children have computed, waiting not counted; needs Linux, which tells of children. */
import { readFileSync } from 'node:fs';

/** Clock ticks of the system in a second. */
const TICKS = 100;

/** Milliseconds that this process, all threads of it, has computed. */
export function ownTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Two neighbouring times of a process or thread, in milliseconds; `first` is that of user time, counted from the state on. */
function timesAt(file: string, first: number): number {
  const fields = readFileSync(file, 'latin1').split(') ').at(-1)!.split(' ');
  return ((Number(fields[first]) + Number(fields[first + 1])) * 1000) / TICKS;
}

/** Milliseconds that children which have ended have computed, to 10 ms each. */
export function childrenTime(): number {
  return timesAt('/proc/self/stat', 13);
}

/** Milliseconds that this process's main thread has computed. */
export function mainThreadTime(): number {
  return timesAt(`/proc/self/task/${process.pid}/stat`, 11);
}

/** The same of both, from before `work` to its end. */
export async function computedIn(work: () => unknown): Promise<number> {
  const before = ownTime() + childrenTime();
  await work();
  return ownTime() + childrenTime() - before;
}
