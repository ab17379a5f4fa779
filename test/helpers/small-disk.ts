/** Disks that are really full: small file systems in memory, where this user may mount one. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

/** A small disk, or why there is none. */
export type SmallDisk =
  | { readonly folder: string; readonly skip: false }
  | { readonly folder: ''; readonly skip: string };

/** Mounts a disk of so many megabytes, which goes when the tests of the file are done. */
export function mountSmallDisk(megabytes: number): SmallDisk {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-disk-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    remove();
    return { folder: '', skip: 'file systems cannot be mounted here' };
  }
  after(() => {
    execFileSync('umount', ['-l', folder]);
    remove();
  });
  return { folder, skip: false };
}

const BLOCK = 4096;

/** Fills the disk of `folder` with a file, but for `left` bytes. @returns a function that removes the file. */
export function fillDisk(folder: string, left = 0): () => void {
  const file = path.join(folder, '.filler');
  const descriptor = openSync(file, 'w');
  try {
    for (let size = 1 << 20; size >= BLOCK; ) {
      try {
        if (writeSync(descriptor, new Uint8Array(size)) < size) size /= 2;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        size /= 2;
      }
    }
    ftruncateSync(descriptor, statSync(file).size - left);
  } finally {
    closeSync(descriptor);
  }
  return () => unlinkSync(file);
}
