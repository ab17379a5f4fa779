/** All orders of a server: what comes, what runs, what is remembered, and what goes. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeAllPartials } from '../files/partial-name.ts';
import { CancelJobError, type JobOutcome } from '../jobs/job-runner.ts';
import { Clip } from './clip.ts';
import type { ClipRequest } from './clip-request.ts';
import { Comparison } from './comparison.ts';
import type { DataFolder } from './data-folder.ts';
import { newId, shortId } from './ids.ts';
import type { Order } from './order.ts';
import {
  type OrderKind,
  type OrderRecord,
  type OrderState,
  readOrderRecords,
  writeOrderRecord,
} from './order-record.ts';
import { RequestError } from './problem.ts';
import type { ServeEvent } from './serve-event.ts';

/** What is reported while an order is done. */
export interface OrderReports {
  /** It is in another state, which is not its end. */
  enter(order: Order, state: OrderState): Promise<void>;
  /** It has ended: recorded first, then reported. */
  finish(order: Order, state: 'succeeded' | 'failed'): Promise<void>;
}

/** How orders of a kind are done. */
export interface OrderWork<Kind extends Order> {
  /** Does an order, or tries to, and tells `reports`. @returns `paused` if the disk is full. */
  run(order: Kind, reports: OrderReports): Promise<JobOutcome>;
  /** Removes what only an order that goes on needs; called when it has ended. */
  ended(order: Kind): Promise<void>;
  /** Removes what is kept of an order outside of its folder. */
  removed(order: Kind): Promise<void>;
}

/** What a board works with. */
interface BoardParts {
  readonly data: DataFolder;
  readonly clipWork: OrderWork<Clip>;
  readonly comparisonWork: OrderWork<Comparison>;
  readonly ordersPerClient: number;
  /** An order whose disk is full is begun again after so long. */
  readonly diskFullMs: number;
  readonly onEvent: (event: ServeEvent) => void;
  /** Called when an order has ended. */
  readonly onEnded: (order: Order) => void;
}

/** Who orders. */
interface Customer {
  readonly client: string;
  /** A key by which the same order is known again, with what was ordered. */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined;
}

/** An order whose disk is full is begun again after this. */
export const DISK_FULL_MS = 30_000;

/** Keeps every order in memory and on the disk. */
export class Board {
  readonly #parts: BoardParts;
  readonly #orders = new Map<string, Order>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #writes = new WeakMap<Order, Promise<void>>();
  #next = 1;

  private constructor(parts: BoardParts) {
    this.#parts = parts;
  }

  /** Reads what is remembered, and goes on with what was not finished. */
  static async open(parts: BoardParts): Promise<Board> {
    const board = new Board(parts);
    const found: Order[] = [];
    for (const kind of ['clip', 'comparison'] as const) {
      const { records, strays } = await readOrderRecords(parentOf(parts.data, kind), kind);
      for (const stray of strays) await rm(stray, { recursive: true, force: true });
      found.push(...records.map((record) => orderOf(kind, record)));
    }
    found.sort((a, b) => a.record.number - b.record.number);
    for (const order of found) {
      await removeAllPartials(orderFolder(parts.data, order)); // of a server that was killed
      board.#next = Math.max(board.#next, order.record.number + 1);
      board.#orders.set(order.id, order);
      if (order.hasEnded) continue;
      if (order.state !== 'queued') order.add('state', 'queued');
      board.#begin(order);
    }
    board.#count();
    return board;
  }

  /** Newest first. */
  get all(): readonly Order[] {
    return [...this.#orders.values()].reverse();
  }

  /** The order of an id, if it is of that kind. */
  get<Kind extends Order>(id: string, kind: new (record: never) => Kind): Kind | undefined {
    const order = this.#orders.get(id);
    return order instanceof kind ? order : undefined;
  }

  /** An earlier order with this key, if there is one. */
  ordered(client: string, key: string): Order | undefined {
    return this.all.find(({ record }) => record.client === client && record.idempotency?.key === key);
  }

  /**
   * Takes an order. It is remembered durably when this returns.
   *
   * @throws {@link RequestError} if the client has too many that are not finished.
   */
  async create(kind: OrderKind, request: ClipRequest, { client, idempotency }: Customer): Promise<Order> {
    const { ordersPerClient, data } = this.#parts;
    const open = this.all.filter((order) => order.record.client === client && !order.hasEnded).length;
    if (open >= ordersPerClient) {
      throw new RequestError(
        'too-many-clips',
        `Cannot take a ${kind}: expected at most ${ordersPerClient} orders that are not finished, got one more; wait for some to end`,
        { headers: { 'retry-after': '30' } },
      );
    }
    const order = orderOf(kind, {
      id: newId(),
      number: this.#next++,
      request,
      client,
      createdAt: new Date().toISOString(),
      ...(idempotency !== undefined && { idempotency }),
      state: 'queued',
      log: [],
    });
    order.add('state', 'queued');
    this.#orders.set(order.id, order);
    const folder = orderFolder(data, order);
    try {
      await mkdir(folder);
      await writeOrderRecord(folder, kind, order.record);
    } catch (error) {
      this.#orders.delete(order.id);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    this.#begin(order);
    this.#count();
    this.#tell(order);
    return order;
  }

  /** Ends an order that runs or waits; what it had begun goes. */
  async cancel(order: Order): Promise<void> {
    if (order.hasEnded) return;
    order.record.finishedAt = new Date().toISOString();
    order.add('state', 'canceled');
    order.stop.abort(new CancelJobError('canceled'));
    await this.#keep(order);
    this.#ended(order);
  }

  /** Removes all that is there of an order that has ended. */
  async remove(order: Order): Promise<void> {
    this.#orders.delete(order.id);
    order.changed();
    // A record that is being written would come back, or fail for want of its folder.
    await this.#writes.get(order);
    await rm(orderFolder(this.#parts.data, order), { recursive: true, force: true });
    await this.#withWork(order, (work, each) => work.removed(each));
  }

  /** Remembers what became of the note of an order's end. */
  async note(order: Order, outcome: 'delivered' | 'failed'): Promise<void> {
    order.record.noted = outcome;
    await this.#keep(order);
  }

  /** Ids of the files that orders are made of. */
  filesInUse(): Set<string> {
    return new Set(
      [...this.#orders.values()].flatMap(({ record }) => record.request.files.map(({ id }) => id)),
    );
  }

  /**
   * Begins nothing more; what runs has so many seconds to end, and keeps its checkpoints if it does not.
   */
  async stop(seconds: number, now: AbortSignal): Promise<void> {
    const waiting = [...this.#orders.values()].filter(({ state }) => state === 'queued');
    for (const order of waiting) order.stop.abort(STOPPED);
    const patience = sleep(seconds * 1000, undefined, { signal: now, ref: false }).catch(() => {});
    await Promise.race([Promise.all(this.#running), patience]);
    this.#stopping.abort(STOPPED);
    for (const order of this.#orders.values()) order.stop.abort(STOPPED);
    await Promise.all(this.#running);
    for (const order of this.#orders.values()) order.changed();
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** What is done for an order is a matter of its kind. */
  #withWork<T>(order: Order, act: (work: OrderWork<Order>, order: Order) => T): T {
    const { clipWork, comparisonWork } = this.#parts;
    return act((order instanceof Clip ? clipWork : comparisonWork) as OrderWork<Order>, order);
  }

  #begin(order: Order): void {
    const running = this.#run(order).catch((error: unknown) => {
      this.#parts.onEvent({ type: 'notice', message: `${nameOf(order)}: ${String(error)}` });
    });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #run(order: Order): Promise<void> {
    const reports: OrderReports = {
      enter: (each, state) => this.#enter(each, state),
      finish: (each, state) => this.#finish(each, state),
    };
    for (;;) {
      const outcome = await this.#withWork(order, (work, each) => work.run(each, reports));
      if (outcome !== 'paused') return;
      await this.#enter(order, 'queued');
      order.add('notice', `the disk is full: the ${order.kind} continues when there is space`);
      const wait = AbortSignal.any([order.stop.signal, this.#stopping.signal]);
      await sleep(this.#parts.diskFullMs, undefined, { signal: wait }).catch(() => {});
    }
  }

  async #finish(order: Order, state: 'succeeded' | 'failed'): Promise<void> {
    if (order.hasEnded) return;
    order.record.finishedAt = new Date().toISOString();
    // An end that a client has seen must survive a kill, and nothing is written any more: it is recorded before it is reported.
    const { log } = order.record;
    const recorded = order.recordIn(state);
    await this.#keep(order, recorded);
    if (order.hasEnded) return; // cancelled meanwhile
    if (order.record.log !== log) return this.#finish(order, state); // a notice has come meanwhile
    order.take(recorded);
    this.#count();
    this.#tell(order);
    this.#ended(order);
  }

  #ended(order: Order): void {
    order.progress = undefined;
    this.#count();
    this.#parts.onEnded(order);
    void this.#withWork(order, (work, each) => work.ended(each)).catch(() => {}); // the next start removes it
  }

  async #enter(order: Order, state: OrderState): Promise<void> {
    if (order.state === state || order.hasEnded) return;
    if (state === 'processing') order.record.startedAt ??= new Date().toISOString();
    order.add('state', state);
    this.#count();
    this.#tell(order);
    await this.#keep(order);
  }

  /** Remembers an order; one write at a time, so that the last is the last. */
  async #keep(order: Order, record = order.record): Promise<void> {
    const before = this.#writes.get(order) ?? Promise.resolve();
    const write = before.then(async () => {
      if (!this.#orders.has(order.id)) return;
      await writeOrderRecord(orderFolder(this.#parts.data, order), order.kind, record);
    });
    const settled = write.catch((error: unknown) => {
      const message = `${nameOf(order)} cannot be remembered: ${String(error)}`;
      this.#parts.onEvent({ type: 'notice', message });
    });
    this.#writes.set(order, settled);
    this.#running.add(settled);
    await settled;
    this.#running.delete(settled);
  }

  /** How many orders are before each that is queued. */
  #count(): void {
    let position = 0;
    for (const order of this.#orders.values()) {
      if (order.state !== 'queued') continue;
      if (order.position !== position) {
        order.position = position;
        order.changed();
      }
      position += 1;
    }
  }

  #tell(order: Order): void {
    const { state, error } = order.record;
    this.#parts.onEvent({
      type: order.kind,
      [order.kind]: shortId(order.id),
      state,
      ...(state === 'failed' && error && { message: error.code }),
    } as ServeEvent);
  }
}

function orderOf(kind: OrderKind, record: OrderRecord): Clip | Comparison {
  return kind === 'clip'
    ? new Clip(record as Clip['record'])
    : new Comparison(record as Comparison['record']);
}

function parentOf(data: DataFolder, kind: OrderKind): string {
  return kind === 'clip' ? data.clips : data.comparisons;
}

/** Folder of an order. */
export function orderFolder(data: DataFolder, { kind, id }: Pick<Order, 'kind' | 'id'>): string {
  return path.join(parentOf(data, kind), id);
}

/** An order in logs. */
function nameOf({ kind, id }: Order): string {
  return `${kind} ${shortId(id)}`;
}

/** Why jobs end when the server does. */
const STOPPED = new Error('the server stops');
