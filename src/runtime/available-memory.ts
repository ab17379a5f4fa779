/** Memory that this process may still take: what the machine has free, or what is left of its container's limit. */
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** Reads a file of the system, undefined where there is none. */
type ReadFile = (path: string) => string | undefined;

const CGROUPS = '/sys/fs/cgroup';

function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** A number of a file that holds nothing else; undefined for `max`, which is no limit. */
function numberIn(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}

/** A field of lines such as `inactive_file 4096` or `MemAvailable:  4096 kB`. */
function fieldOf(text: string | undefined, name: string): number | undefined {
  const found = text?.match(new RegExp(`^${name}:?\\s+(\\d+)`, 'm'));
  return found ? Number(found[1]) : undefined;
}

/** What a group of either generation may still take; files that are kept in memory can be dropped. */
interface GroupFiles {
  readonly limit: string;
  readonly used: string;
  /** Field of `memory.stat`. */
  readonly droppable: string;
}

const GENERATIONS: Readonly<Record<'v1' | 'v2', GroupFiles>> = {
  v2: { limit: 'memory.max', used: 'memory.current', droppable: 'inactive_file' },
  v1: { limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', droppable: 'total_inactive_file' },
};

function leftIn(folder: string, { limit, used, droppable }: GroupFiles, read: ReadFile): number | undefined {
  const most = numberIn(read(`${folder}/${limit}`));
  const current = numberIn(read(`${folder}/${used}`));
  if (most === undefined || current === undefined) return undefined;
  return Math.max(0, most - current + (fieldOf(read(`${folder}/memory.stat`), droppable) ?? 0));
}

/** The folders of this process's groups and of all above them, whose limits hold as well. */
function groupFolders(read: ReadFile): [folder: string, files: GroupFiles][] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n');
  return lines.flatMap((line): [string, GroupFiles][] => {
    const [, controllers, path] = line.match(/^\d+:([^:]*):(\/.*)$/) ?? [];
    if (controllers === undefined || path === undefined) return [];
    const isFirst = controllers.split(',').includes('memory');
    if (!isFirst && controllers !== '') return [];
    const root = isFirst ? `${CGROUPS}/memory` : CGROUPS;
    const files = isFirst ? GENERATIONS.v1 : GENERATIONS.v2;
    // Inside a container the group's own folder is the root, whatever its path is called outside.
    const parts = path.split('/').filter((part) => part !== '');
    return Array.from({ length: parts.length + 1 }, (_, depth) => [
      [root, ...parts.slice(0, depth)].join('/'),
      files,
    ]);
  });
}

/**
 * Bytes that may still be taken, files that are kept in memory not counted as taken.
 *
 * @param read - reads a system file. @defaultValue from the disk
 * @param free - what the operating system says where nothing better is known.
 */
export function availableMemory(read: ReadFile = readSystemFile, free: number = os.freemem()): number {
  const kilobytes = fieldOf(read('/proc/meminfo'), 'MemAvailable');
  const machine = kilobytes === undefined ? free : 1024 * kilobytes;
  const groups = groupFolders(read).flatMap(([folder, files]) => leftIn(folder, files, read) ?? []);
  return Math.min(machine, ...groups);
}
