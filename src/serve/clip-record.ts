/** What is remembered of a clip, in a file of its own, so that a server that was ended knows where it was. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../files/write-durably.ts';
import type { RecordedClip } from '../jobs/job-folder.ts';
import type { ClipRequest } from './clip-request.ts';
import { isId } from './ids.ts';

const FORMAT = 1;
const RECORD = 'clip.json';

/**
 * `queued`: waits for its turn. `starting`: its files are read, or it waits for the engine. `processing`: it is rendered.
 * The others are the end.
 */
export type ClipState = 'queued' | 'starting' | 'processing' | 'succeeded' | 'failed' | 'canceled';

/** States that a clip does not leave. */
export const ENDED: ReadonlySet<ClipState> = new Set(['succeeded', 'failed', 'canceled']);

/** Why a clip failed. */
export interface ClipError {
  /** As the library's errors have it, e.g. `FACE`. */
  readonly code: string;
  readonly message: string;
  /** The field that is to be changed, where that is known. */
  readonly field?: string;
}

/** Something that happened; numbered from 1 within a clip. */
export interface ClipEntry {
  readonly seq: number;
  /** ISO 8601. */
  readonly at: string;
  readonly type: 'state' | 'notice';
  /** The state, or the notice's text. */
  readonly text: string;
}

/** A video that is there. */
export interface ClipResult extends RecordedClip {
  readonly bytes: number;
  readonly sha256: string;
}

/** A clip. */
export interface ClipRecord {
  readonly id: string;
  /** Counts the clips of a folder; the order in which they come. */
  readonly number: number;
  readonly request: ClipRequest;
  /** Who asked for it: an address. */
  readonly client: string;
  readonly createdAt: string;
  readonly idempotency?: { readonly key: string; readonly fingerprint: string };
  state: ClipState;
  startedAt?: string;
  finishedAt?: string;
  error?: ClipError;
  result?: ClipResult;
  /** What became of the note of its end; undefined if none was asked for, or it is still to be sent. */
  noted?: 'delivered' | 'failed';
  log: readonly ClipEntry[];
}

/** Folder of a clip. */
export function clipFolder(clips: string, id: string): string {
  return path.join(clips, id);
}

/** Remembers a clip, durably. */
export async function writeClipRecord(clips: string, record: ClipRecord): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, ...record }, undefined, 1);
  await writeDurably(path.join(clipFolder(clips, record.id), RECORD), text);
}

/** All clips that are remembered, in their order, and folders of which nothing is. */
export async function readClipRecords(
  clips: string,
): Promise<{ readonly records: ClipRecord[]; readonly strays: readonly string[] }> {
  const records: ClipRecord[] = [];
  const strays: string[] = [];
  for (const id of await readdir(clips)) {
    const record = isId(id) ? await readRecord(path.join(clips, id, RECORD)) : undefined;
    if (record?.id === id) records.push(record);
    else strays.push(path.join(clips, id));
  }
  return { records: records.sort((a, b) => a.number - b.number), strays };
}

async function readRecord(file: string): Promise<ClipRecord | undefined> {
  try {
    const { format, ...record } = JSON.parse(await readFile(file, 'utf8')) as ClipRecord & { format: number };
    return format === FORMAT ? record : undefined;
  } catch {
    return undefined; // its folder was made, and then the server ended: nobody was told of it
  }
}
