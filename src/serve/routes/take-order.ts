/** Orders as they come: read, known again by their keys, and put on the board. */
import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { alternatives } from '../../pipeline/options/option-types.ts';
import { type ClipRequest, type FormKind, readClipRequest } from '../clip-request.ts';
import type { Order } from '../order.ts';
import { ORDER_STATES, type OrderKind } from '../order-record.ts';
import { MAX_PAGE_SIZE, PAGE_SIZE } from '../page-size.ts';
import { RequestError } from '../problem.ts';
import { discardFiles, type FormValues, ReceivedFile, receiveForm } from '../receive-form.ts';
import { clientOf, type ServeEnv, type ServerState } from '../server-state.ts';

const MAX_KEY_LENGTH = 200;

/** Takes orders of a kind. */
export class OrderDesk {
  readonly #state: ServerState;
  readonly #kind: OrderKind;
  readonly #form: FormKind;
  /** Orders that are being taken: a second request with the same key waits. */
  readonly #taking = new Set<string>();

  constructor(state: ServerState, kind: OrderKind, form: FormKind) {
    this.#state = state;
    this.#kind = kind;
    this.#form = form;
  }

  /** Answers with the order, a new one or the one that came before with its key. */
  async take(context: Context<ServeEnv>): Promise<Response> {
    const client = clientOf(context);
    const key = readKey(context.req.header('idempotency-key'));
    const order = key === undefined ? undefined : `${client} ${key}`;
    if (order === undefined) return this.#take(context, client, key);
    if (this.#taking.has(order)) {
      throw new RequestError('conflict', 'Cannot take the order: the same one is being taken just now', {
        headers: { 'retry-after': '1' },
      });
    }
    this.#taking.add(order);
    try {
      return await this.#take(context, client, key);
    } finally {
      this.#taking.delete(order);
    }
  }

  async #take(context: Context<ServeEnv>, client: string, key: string | undefined): Promise<Response> {
    const { board, uploads } = this.#state;
    const { form, request } = await receiveRequest(context, this.#state, this.#form);
    const fingerprint = fingerprintOf(this.#kind, request, this.#state);
    const known = key === undefined ? undefined : board.ordered(client, key);
    if (known !== undefined) {
      await discardFiles(form, uploads);
      if (known.record.idempotency?.fingerprint !== fingerprint) {
        throw new RequestError(
          'key-reused',
          'Cannot take the order: its Idempotency-Key came before, with another order',
        );
      }
      return answer(context, known, { 'idempotency-replayed': 'true' });
    }
    try {
      const idempotency = key === undefined ? undefined : { key, fingerprint };
      return answer(context, await board.create(this.#kind, request, { client, idempotency }));
    } catch (error) {
      await discardFiles(form, uploads);
      throw error;
    }
  }
}

function answer(context: Context<ServeEnv>, order: Order, headers: Record<string, string> = {}): Response {
  const view = order.view();
  return context.json(view, 202, { ...headers, location: view.links.self! });
}

/** A form with its request; what it brought is removed if it is wrong. */
export async function receiveRequest(
  context: Context<ServeEnv>,
  state: ServerState,
  kind: FormKind,
): Promise<{ readonly form: FormValues; readonly request: ClipRequest }> {
  const { uploads, limits, metrics } = state;
  if (state.stopping.signal.aborted) {
    throw new RequestError('stopping', 'Cannot take more: the server stops', {
      headers: { 'retry-after': '10' },
    });
  }
  const form = await receiveForm(context.env.incoming, uploads, limits);
  try {
    const bundles = await state.listBundles();
    const surroundings = {
      uploads,
      limits,
      bundles: bundles.filter(({ bundle }) => bundle !== undefined).map(({ name }) => name),
      refuseWebhook: (address: string) => state.webhooks.refusalOf(address),
    };
    const request = readClipRequest(form, surroundings, kind);
    for (const value of [...form.values()].flat()) {
      if (value instanceof ReceivedFile) metrics.uploaded(value.upload.bytes);
    }
    return { form, request };
  } catch (error) {
    await discardFiles(form, uploads);
    throw error;
  }
}

/**
 * A page of orders, newest first, as the query asks for it.
 *
 * @param path - of the list.
 * @throws {@link RequestError} if the query is wrong.
 */
export function pageOfOrders(
  context: Context<ServeEnv>,
  path: string,
  all: readonly Order[],
): { readonly orders: readonly Order[]; readonly next?: string } {
  const { limit, after, state: wanted } = context.req.query();
  const size = limit === undefined ? PAGE_SIZE : Number(limit);
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE) {
    throw wrongQuery('limit', `expected an integer from 1 to ${MAX_PAGE_SIZE}`);
  }
  if (wanted !== undefined && !(ORDER_STATES as readonly string[]).includes(wanted)) {
    throw wrongQuery('state', `expected ${alternatives(ORDER_STATES)}`);
  }
  const last = after === undefined ? undefined : all.find(({ id }) => id === after);
  if (after !== undefined && last === undefined) throw wrongQuery('after', 'expected an id of the list');
  const rest = all.filter(
    ({ state, record }) =>
      (wanted === undefined || state === wanted) &&
      (last === undefined || record.number < last.record.number),
  );
  const orders = rest.slice(0, size);
  const more = rest.length > orders.length ? orders.at(-1) : undefined;
  if (more === undefined) return { orders };
  const query = new URLSearchParams({
    limit: String(size),
    ...(wanted !== undefined && { state: wanted }),
    after: more.id,
  });
  return { orders, next: `${path}?${query}` };
}

function wrongQuery(field: string, detail: string): RequestError {
  return new RequestError('invalid-field', `Cannot use ${field}: ${detail}`, { fields: [{ field, detail }] });
}

function readKey(key: string | undefined): string | undefined {
  if (key === undefined || /^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new RequestError(
    'invalid-request',
    `Cannot use Idempotency-Key: expected up to ${MAX_KEY_LENGTH} printable characters`,
  );
}

/** What an order is, whatever its files are called. */
function fingerprintOf(
  kind: OrderKind,
  { options, files, name, webhook, format }: ClipRequest,
  { uploads }: ServerState,
): string {
  const words = [options, name, webhook, ...(format === undefined ? [] : [format])];
  let text = JSON.stringify(kind === 'clip' ? words : [kind, ...words]);
  for (const { id } of files) text = text.replaceAll(id, uploads.get(id)?.sha256 ?? id);
  return createHash('sha256').update(text).digest('hex');
}
