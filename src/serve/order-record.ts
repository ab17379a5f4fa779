/** What is remembered of an order, in a file of its own, so that a server that was ended knows where it was. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../files/write-durably.ts';
import type { ClipRequest } from './clip-request.ts';
import { isId } from './ids.ts';

const FORMAT = 1;

/** What may be ordered. */
export type OrderKind = 'clip' | 'comparison';

/**
 * `queued`: waits for its turn. `starting`: its files are read, or it waits for the engine. `processing`: it is rendered.
 * The others are the end.
 */
export type OrderState = (typeof ORDER_STATES)[number];

/** Every state, in the order in which they come. */
export const ORDER_STATES = ['queued', 'starting', 'processing', 'succeeded', 'failed', 'canceled'] as const;

/** States that an order does not leave. */
export const ENDED: ReadonlySet<OrderState> = new Set(['succeeded', 'failed', 'canceled']);

/** Why an order failed. */
export interface OrderError {
  /** As the library's errors have it, e.g. `FACE`. */
  readonly code: string;
  readonly message: string;
  /** The field that is to be changed, where that is known. */
  readonly field?: string;
}

/** Something that happened; numbered from 1 within an order. */
export interface OrderEntry {
  readonly seq: number;
  /** ISO 8601. */
  readonly at: string;
  readonly type: 'state' | 'notice';
  /** The state, or the notice's text. */
  readonly text: string;
}

/** An order. */
export interface OrderRecord<Result = unknown> {
  readonly id: string;
  /** Counts the orders of a folder; the order in which they come. */
  readonly number: number;
  readonly request: ClipRequest;
  /** Who asked for it: an address. */
  readonly client: string;
  readonly createdAt: string;
  readonly idempotency?: { readonly key: string; readonly fingerprint: string };
  state: OrderState;
  startedAt?: string;
  finishedAt?: string;
  error?: OrderError;
  result?: Result;
  /** What became of the note of its end; undefined if none was asked for, or it is still to be sent. */
  noted?: 'delivered' | 'failed';
  log: readonly OrderEntry[];
}

/** Remembers an order in its folder, durably. */
export async function writeOrderRecord(folder: string, kind: OrderKind, record: OrderRecord): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, ...record }, undefined, 1);
  await writeDurably(path.join(folder, fileOf(kind)), text);
}

/** All orders of a kind that are remembered in folders named by their ids, and folders of which nothing is. */
export async function readOrderRecords(
  parent: string,
  kind: OrderKind,
): Promise<{ readonly records: OrderRecord[]; readonly strays: readonly string[] }> {
  const records: OrderRecord[] = [];
  const strays: string[] = [];
  for (const id of await readdir(parent)) {
    const record = isId(id) ? await readRecord(path.join(parent, id, fileOf(kind))) : undefined;
    if (record?.id === id) records.push(record);
    else strays.push(path.join(parent, id));
  }
  return { records, strays };
}

function fileOf(kind: OrderKind): string {
  return `${kind}.json`;
}

async function readRecord(file: string): Promise<OrderRecord | undefined> {
  try {
    const { format, ...record } = JSON.parse(await readFile(file, 'utf8')) as OrderRecord & {
      format: number;
    };
    return format === FORMAT ? record : undefined;
  } catch {
    return undefined; // its folder was made, and then the server ended: no client has seen it
  }
}
