/** The name that a file has until it is complete. */
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

/** A new hidden name in the same folder, so that renaming is atomic. */
export function partialPath(target: string): string {
  const { dir, start, end } = partsOf(target);
  return path.join(dir, `${start}${randomBytes(4).toString('hex')}${end}`);
}

/** What comes before and after the part that differs each time. */
function partsOf(target: string): { readonly dir: string; readonly start: string; readonly end: string } {
  const { dir, name, ext } = path.parse(target);
  // File systems allow 255 bytes; the beginning of a long name is enough to recognise it.
  const begin = Buffer.from(name).subarray(0, 100).toString().replaceAll('\ufffd', '');
  return { dir, start: `.${begin}.`, end: `.partial${ext}` };
}

/** Whether a file's name is one that {@link partialPath} gives. */
export function isPartialName(name: string): boolean {
  return /^\..*\.[0-9a-f]{8}\.partial(\.[^.]*)?$/.test(name);
}

/** Removes what programs that were killed have left of a file; for the only one that writes it. */
export async function removePartials(target: string): Promise<void> {
  const { dir, start, end } = partsOf(path.resolve(target));
  for (const name of await readdir(dir).catch(() => [])) {
    if (!name.startsWith(start) || !name.endsWith(end)) continue;
    if (/^[0-9a-f]{8}$/.test(name.slice(start.length, -end.length)))
      await rm(path.join(dir, name), { recursive: true, force: true }).catch(() => {});
  }
}
