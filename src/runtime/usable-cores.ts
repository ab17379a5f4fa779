/** Cores that this process may use: fewer than there are where it is bound to some, or has a share of their time. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Reads a file of the system, undefined where there is none. */
type ReadFile = (path: string) => string | undefined;

function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const ROOT = '/sys/fs/cgroup';

/** Cores' worth of time by the limits of control groups, of either generation; Infinity without one. */
function shareOfTime(read: ReadFile): number {
  const group = (read('/proc/self/cgroup') ?? '').match(/^0::(\/.*)$/m)?.[1] ?? '/';
  const parts = group.split('/').filter((part) => part !== '');
  const folders = Array.from({ length: parts.length + 1 }, (_, depth) =>
    [ROOT, ...parts.slice(0, depth)].join('/'),
  );
  const second = folders.map((folder) => read(`${folder}/cpu.max`)?.trim().split(' '));
  const first = [
    [`${ROOT}/cpu/cpu.cfs_quota_us`, `${ROOT}/cpu/cpu.cfs_period_us`].map((path) => read(path)?.trim()),
  ];
  const shares = [...second, ...first].map(
    (limit) => Number(limit?.[0] ?? Number.NaN) / Number(limit?.[1] ?? Number.NaN),
  );
  return Math.min(Infinity, ...shares.filter((share) => share > 0));
}

/**
 * A whole number, 1 or more.
 *
 * @param read - reads a system file. @defaultValue from the disk
 * @param cores - that the operating system schedules this process on.
 */
export function usableCores(read: ReadFile = readSystemFile, cores: number = availableParallelism()): number {
  return Math.max(1, Math.min(cores, Math.ceil(shareOfTime(read))));
}
