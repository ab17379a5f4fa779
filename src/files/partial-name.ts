/**
 * The name that a file has until it is complete: it says which file it will be, and which thread of which process writes it,
 * so that nobody removes what another one is writing.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { currentOwner, formatOwner, livenessOf, parseOwner } from './thread-owner.ts';

/** Bytes of the target's name that are kept, for people who find one: some file systems allow 143 for a whole name. */
const MAX_BEGIN_BYTES = 40;
/** Longer endings are part of the name. */
const MAX_ENDING_BYTES = 16;
/** Whether a file of another machine's process is still written cannot be asked; after so long without a change it is not. */
const SILENT_MS = 24 * 3600_000;

const PARTIAL =
  /^\..*\.(?<target>[0-9a-f]{8})-[0-9a-f]{8}-(?<owner>\d+-\d+-[0-9a-f]*-[0-9a-f]{8})\.partial(?:\.[^.]*)?$/;

/** A new hidden name in the same folder, so that renaming is atomic. */
export function partialPath(target: string): string {
  const { dir, name, ext } = path.parse(target);
  const ending = Buffer.byteLength(ext) > MAX_ENDING_BYTES ? '' : ext;
  const begin = Buffer.from(name).subarray(0, MAX_BEGIN_BYTES).toString().replaceAll('\ufffd', '');
  const owner = formatOwner({ ...currentOwner(), host: hostName() });
  const token = randomBytes(4).toString('hex');
  return path.join(dir, `.${begin}.${targetId(target)}-${token}-${owner}.partial${ending}`);
}

/** Tells names apart that begin alike; a beginning cut to a few bytes is only for people. */
function targetId(target: string): string {
  return shortHash(path.basename(target));
}

/** The machine's name, in as few characters as tell machines apart. */
function hostName(): string {
  return shortHash(os.hostname());
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** Whether a file's name is one that {@link partialPath} gives. */
export function isPartialName(name: string): boolean {
  return PARTIAL.test(name);
}

/** Removes what programs that were killed have left of a file; what others still write stays. */
export async function removePartials(target: string): Promise<void> {
  const absolute = path.resolve(target);
  const id = targetId(absolute);
  await removeAbandoned(path.dirname(absolute), (found) => found === id);
}

/** Removes what programs that were killed have left of any file in a folder; what others still write stays. */
export async function removeAllPartials(folder: string): Promise<void> {
  await removeAbandoned(folder, () => true);
}

async function removeAbandoned(folder: string, isMeant: (target: string) => boolean): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const { target, owner } = PARTIAL.exec(name)?.groups ?? {};
    if (target === undefined || owner === undefined || !isMeant(target)) continue;
    const file = path.join(folder, name);
    if (await isAbandoned(file, owner)) await rm(file, { recursive: true, force: true }).catch(() => {});
  }
}

async function isAbandoned(file: string, text: string): Promise<boolean> {
  const owner = parseOwner(text);
  if (owner === undefined) return false;
  const liveness = livenessOf(owner, hostName());
  if (liveness !== 'unknown') return liveness === 'ended';
  const modified = (await stat(file).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY;
  return Date.now() - modified > SILENT_MS;
}
