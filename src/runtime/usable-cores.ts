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

/** The folders of a group and of those around it, from the outermost. */
function foldersOf(root: string, group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, depth) => [root, ...parts.slice(0, depth)].join('/'));
}

/** Cores' worth of time by the limits of control groups, of either generation; Infinity without one. */
function shareOfTime(read: ReadFile): number {
  const groups = read('/proc/self/cgroup') ?? '';
  const second = foldersOf(ROOT, /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/').map((folder) =>
    read(`${folder}/cpu.max`)?.trim().split(' '),
  );
  // The first generation has a tree for each kind of limit; that of processor time may be shared with its accounts.
  const first = foldersOf(`${ROOT}/cpu`, /^\d+:(?:\w+,)*cpu(?:,\w+)*:(\/.*)$/m.exec(groups)?.[1] ?? '/').map(
    (folder) =>
      [`${folder}/cpu.cfs_quota_us`, `${folder}/cpu.cfs_period_us`].map((path) => read(path)?.trim()),
  );
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
