/**
 * Notes to other servers when an order has ended: signed, sent again until they are taken, and only to hosts that are allowed.
 *
 * Source: Standard Webhooks 1.0 (standardwebhooks.com), symmetric signatures.
 */
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { InvalidOptionError } from '../errors.ts';
import { showValue } from '../pipeline/options/check-options.ts';
import { alternatives } from '../pipeline/options/option-types.ts';
import { shortId } from './ids.ts';
import type { Order } from './order.ts';
import type { ServeEvent } from './serve-event.ts';

/** How long to wait before each time but the first: some 75 minutes in all. */
export const WEBHOOK_DELAYS_MS: readonly number[] = [1e3, 5e3, 30e3, 120e3, 600e3, 3600e3];
const ANSWER_MS = 10_000;
/** Notes on their way at the same time. */
const CONCURRENCY = 4;
const SECRET_PREFIX = 'whsec_';
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;

/** What became of a note. */
type WebhookOutcome = 'delivered' | 'failed';

/** Options of {@link Webhooks}. */
interface WebhookOptions {
  /** Hosts that notes may go to, `name` or `name:port`. */
  readonly hosts: readonly string[];
  /** `whsec_` and base64 of 24 to 64 bytes. */
  readonly secret: string;
  readonly delaysMs?: readonly number[] | undefined;
  readonly onEvent: (event: ServeEvent) => void;
  /** Remembers that there is no more to be sent for an order. */
  readonly onDone: (order: Order, outcome: WebhookOutcome) => Promise<void>;
}

/** @throws {@link InvalidOptionError} if it is no secret of Standard Webhooks. */
export function keyOfSecret(secret: string): Buffer {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : '';
  const key = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  if (key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES) return key;
  const expected = `${SECRET_PREFIX} and base64 of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes`;
  throw new InvalidOptionError(
    { expected, got: `a text of ${secret.length} characters` },
    'webhookSecret',
    '…',
  );
}

/** @throws {@link InvalidOptionError} unless it is a host as URLs have it, with a port or without. */
export function checkWebhookHost(host: string): void {
  const url = URL.canParse(`https://${host}`) ? new URL(`https://${host}`) : undefined;
  // A URL leaves its usual port out, and writes names in small letters.
  if (url !== undefined && host !== '' && !/[/?#@\s\\*]/.test(host)) return;
  const problem = { expected: 'the name of a host, as hooks.example.org or hooks.example.org:8443' };
  throw new InvalidOptionError({ ...problem, got: showValue(host) }, 'webhookHosts', host);
}

/** The signature of a note. */
function signWebhook(key: Uint8Array, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** Sends notes of orders that have ended. */
export class Webhooks {
  readonly #options: WebhookOptions;
  readonly #key: Buffer;
  readonly #turns = new PQueue({ concurrency: CONCURRENCY });
  readonly #sending = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  /** @throws {@link InvalidOptionError} if a host or the secret cannot be used. */
  constructor(options: WebhookOptions) {
    for (const host of options.hosts) checkWebhookHost(host);
    this.#options = options;
    this.#key = keyOfSecret(options.secret);
  }

  /** What is wrong with an address, in words that follow "Cannot use webhook:"; undefined if notes may go there. */
  refusalOf(address: string): string | undefined {
    const { hosts } = this.#options;
    if (hosts.length === 0) return 'expected none: this server sends no notes; --webhook-host allows it to';
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol))
      return 'expected an address with http or https';
    if (url.username !== '' || url.password !== '')
      return 'expected an address without a name and a password';
    const allowed = hosts.map((host) => new URL(`${url.protocol}//${host}`).host);
    if (allowed.includes(url.host)) return undefined;
    return `expected an address of ${alternatives(hosts)}, got one of ${showValue(url.host)}`;
  }

  /** Begins to send the note of an order that has ended, if one was asked for and is still to be sent. */
  send(order: Order): void {
    const { request, noted } = order.record;
    if (request.webhook === undefined || noted !== undefined || this.#stopping.signal.aborted) return;
    const sending = this.#send(order, request.webhook).catch((error: unknown) =>
      this.#tell(order, String(error)),
    );
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
  }

  /** Sends no more; what was not taken is sent after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the server stops'));
    await Promise.all(this.#sending);
  }

  async #send(order: Order, address: string): Promise<void> {
    const { delaysMs = WEBHOOK_DELAYS_MS, onDone } = this.#options;
    const { signal } = this.#stopping;
    // Remembered from an earlier start, which may have allowed more.
    const refusal = this.refusalOf(address);
    if (refusal !== undefined) {
      this.#tell(order, `is not sent: ${refusal}`);
      return onDone(order, 'failed');
    }
    const body = JSON.stringify({
      type: `${order.kind}.${order.state}`,
      timestamp: order.record.finishedAt,
      data: order.view(),
    });
    for (const delay of [0, ...delaysMs]) {
      if (delay > 0) await sleep(delay, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      const answer = await this.#turns.add(() => this.#post(address, `${order.kind}_${order.id}`, body));
      if (signal.aborted && answer !== 'taken') return;
      if (answer === 'taken') return onDone(order, 'delivered');
      this.#tell(order, `was not taken by ${new URL(address).host}: expected a status of 2xx, got ${answer}`);
      if (answer === 410 || (typeof answer === 'number' && answer >= 300 && answer < 400)) break;
    }
    this.#tell(order, 'is given up');
    return onDone(order, 'failed');
  }

  /** @returns `taken`, or the status or the error that it was answered with. */
  async #post(address: string, id: string, body: string): Promise<'taken' | number | string> {
    const timestamp = Math.floor(Date.now() / 1000);
    try {
      const response = await fetch(address, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'lcm-portrait',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': signWebhook(this.#key, id, timestamp, body),
        },
        // An allowed host must not lead to one that is not.
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), this.#stopping.signal]),
      });
      await response.body?.cancel();
      return response.ok ? 'taken' : response.status;
    } catch (error) {
      const { cause, name } = error as Error & { cause?: { code?: string } };
      return `an error (${cause?.code ?? name})`;
    }
  }

  #tell(order: Order, what: string): void {
    this.#options.onEvent({
      type: 'notice',
      message: `the note of ${order.kind} ${shortId(order.id)} ${what}`,
    });
  }
}
