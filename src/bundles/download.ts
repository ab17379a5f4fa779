/**
 * Fetches files from web servers: a transfer that breaks goes on where it stopped, in this run or the next, and what
 * arrives is compared with its hash before it gets its name.
 *
 * Source: RFC 9110, sections 13.1.5 (If-Range), 14 (ranges) and 15.3.7 (206).
 */
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { ModelError } from '../errors.ts';
import { hashFile } from '../files/hash-file.ts';
import { type FileSink, syncFile, writeAll } from '../files/write-durably.ts';
import { writeProblem } from './bundle-folder.ts';

/** Options of {@link download}. */
export interface DownloadOptions {
  /** Where the file goes; while it is not complete it is called `<target>.part`. */
  readonly target: string;
  /** Bytes of the file, where they are known. */
  readonly bytes?: number | undefined;
  /** SHA-256 in hexadecimal, where it is known; a hub tells it as well. */
  readonly sha256?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes that are there, those of an earlier run included, and those in all once they are known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** @defaultValue the platform's */
  readonly fetch?: typeof fetch;
  /** Waits between attempts. @defaultValue a timer */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  /** A transfer without a byte for so long is broken off and begun again. @defaultValue 30 s */
  readonly stallMs?: number;
}

/** What was fetched. */
export interface Downloaded {
  readonly bytes: number;
  readonly sha256: string;
}

/** Attempts in a row that bring nothing. */
const MAX_FRUITLESS = 5;
const FIRST_WAIT_MS = 500;
const MAX_REDIRECTS = 8;
/** Statuses that may pass. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** A failure that another attempt may mend. */
class Interrupted extends Error {}

/** What is known of a file that is half here. */
interface PartState {
  readonly url: string;
  /** A strong entity tag, or a date of change. */
  readonly validator: string;
}

/**
 * Fetches `url` to `options.target`.
 *
 * @throws {@link ModelError} if the server refuses, does not answer, or sends something else than was promised; what
 *   arrived is kept for the next run where it may be right.
 * @throws {@link EnvironmentError} if the disk is full; nothing is kept then.
 */
export async function download(url: string, options: DownloadOptions): Promise<Downloaded> {
  assertHttp(url);
  const transfer = new Transfer(url, options);
  const { sleep = defaultSleep, signal } = options;
  for (let fruitless = 0; ; ) {
    signal?.throwIfAborted();
    const before = transfer.done;
    try {
      await transfer.attempt();
      return await transfer.complete();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Interrupted)) {
        const problem = writeProblem(path.dirname(options.target), error);
        if (problem !== error) await transfer.discard();
        throw problem;
      }
      fruitless = transfer.done > before ? 0 : fruitless + 1;
      if (fruitless === MAX_FRUITLESS) {
        throw new ModelError(
          `Cannot fetch ${url}: expected an answer, got ${error.message} ${MAX_FRUITLESS} times in a row; run the command again to go on where it stopped`,
          url,
          { cause: error },
        );
      }
      await sleep(FIRST_WAIT_MS * 2 ** fruitless, signal);
    }
  }
}

async function defaultSleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
}

/** @throws {@link ModelError} unless it is an address of the web. */
export function assertHttp(url: string): void {
  if (/^https?:\/\/[^/]/i.test(url) && URL.canParse(url)) return;
  throw new ModelError(`Cannot fetch ${url}: expected an address that begins with https:// or http://`, url);
}

/** One file on its way. */
class Transfer {
  /** Bytes that are in the part. */
  done = 0;
  readonly #url: string;
  readonly #options: DownloadOptions;
  readonly #part: string;
  readonly #statePath: string;
  #validator: string | undefined;
  #sha256: string | undefined;
  #total: number | undefined;
  #started = false;

  constructor(url: string, options: DownloadOptions) {
    this.#url = url;
    this.#options = options;
    this.#part = `${options.target}.part`;
    this.#statePath = `${this.#part}.json`;
    this.#sha256 = options.sha256;
    this.#total = options.bytes;
  }

  /** Fetches what is missing; returns when all of it is here. */
  async attempt(): Promise<void> {
    if (!this.#started) await this.#recall();
    this.#started = true;
    // Without a hash and without a tag, the rest may be of another file than the beginning.
    if (this.#validator === undefined && this.#sha256 === undefined) this.done = 0;
    if (this.done > 0 && this.done === this.#total) return;
    const controller = new AbortController();
    const { signal, stallMs = 30_000 } = this.#options;
    const stop = (): void => controller.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    const timer = setTimeout(() => controller.abort(new Interrupted('nothing for too long')), stallMs);
    try {
      const response = await this.#request(controller.signal);
      timer.refresh();
      const start = this.#accept(response);
      if (start === undefined) return;
      await this.#store(response, start, timer);
    } catch (error) {
      if (controller.signal.aborted && !signal?.aborted) throw new Interrupted('nothing for too long');
      // What fetch throws: no connection, or one that broke.
      if (error instanceof TypeError) {
        const { cause } = error;
        throw new Interrupted(cause instanceof Error ? cause.message : error.message, { cause: error });
      }
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      controller.abort();
    }
  }

  /** Finds what an earlier run has left. */
  async #recall(): Promise<void> {
    const { size } = await stat(this.#part).catch(() => ({ size: 0 }));
    if (size === 0) return;
    const state = await readFile(this.#statePath, 'utf8')
      .then((text) => JSON.parse(text) as Partial<PartState>)
      .catch((): Partial<PartState> => ({}));
    // With a hash to compare in the end, the address alone is enough to try.
    if (state.url !== this.#url || (!state.validator && this.#sha256 === undefined)) return;
    this.#validator = state.validator || undefined;
    this.done = this.#total === undefined ? size : Math.min(size, this.#total);
  }

  async #request(signal: AbortSignal): Promise<Response> {
    const { fetch: send = fetch } = this.#options;
    let address = this.#url;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const headers: Record<string, string> = { 'accept-encoding': 'identity' };
      if (this.done > 0) {
        headers.range = `bytes=${this.done}-`;
        if (this.#validator !== undefined) headers['if-range'] = this.#validator;
      }
      const response = await send(address, { headers, redirect: 'manual', signal });
      // The hub tells the hash of large files before it sends to where they lie.
      const linked = /^"?([0-9a-f]{64})"?$/i.exec(response.headers.get('x-linked-etag') ?? '')?.[1];
      this.#sha256 ??= linked?.toLowerCase();
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || response.status === 304 || location === null) {
        return response;
      }
      await response.body?.cancel();
      const next = new URL(location, address);
      if (next.protocol !== 'https:' && (next.protocol !== 'http:' || address.startsWith('https:'))) {
        throw this.#refused('a redirection to another https address', `one to ${next.href}`);
      }
      address = next.href;
    }
    throw this.#refused(`at most ${MAX_REDIRECTS} redirections`, 'more');
  }

  /** Where the body belongs; undefined if there is nothing more to come. */
  #accept(response: Response): number | undefined {
    const { status, headers } = response;
    if (status === 206) {
      const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
      if (range === null || Number(range[1]) !== this.done) {
        this.done = 0;
        throw new Interrupted('another part than was asked for');
      }
      this.#expect(range[3] === '*' ? undefined : Number(range[3]));
      return this.done;
    }
    if (status === 200) {
      // The server does not know ranges, or its file has changed.
      this.done = 0;
      const length = headers.get('content-length');
      this.#expect(length === null ? undefined : Number(length));
      return 0;
    }
    if (status === 416 && this.done > 0) {
      const size = /^bytes \*\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
      if (Number(size) === this.done) {
        this.#expect(this.done);
        return undefined;
      }
      this.done = 0;
      throw new Interrupted('another length than before');
    }
    if (PASSING.has(status)) throw new Interrupted(`status ${status}`);
    const hint = status === 401 || status === 403 ? '; it may need an account, or consent to a licence' : '';
    throw this.#refused('a file', `status ${status}${hint}`);
  }

  /** Takes note of the size that a server states. */
  #expect(total: number | undefined): void {
    if (total === undefined) return;
    const { bytes } = this.#options;
    if (bytes !== undefined && total !== bytes) throw this.#refused(`${bytes} bytes`, `${total}`);
    this.#total = total;
  }

  async #store(response: Response, start: number, timer: NodeJS.Timeout): Promise<void> {
    const etag = response.headers.get('etag');
    // Weak tags do not promise the same bytes.
    const strong = etag?.startsWith('"') ? etag : undefined;
    this.#validator = strong ?? response.headers.get('last-modified') ?? undefined;
    const file = await open(this.#part, start === 0 ? 'w' : 'r+');
    try {
      if (start > 0) await file.truncate(start);
      const state: PartState = { url: this.#url, validator: this.#validator ?? '' };
      await writeFile(this.#statePath, JSON.stringify(state));
      await this.#writeBody(response, file, timer);
    } finally {
      await file.close();
    }
    if (this.#total !== undefined && this.done < this.#total) throw new Interrupted('the end too early');
  }

  async #writeBody(response: Response, file: FileHandle, timer: NodeJS.Timeout): Promise<void> {
    if (response.body === null) return;
    const sink = {
      write: (data: Uint8Array, offset: number, length: number) =>
        file.write(data, offset, length, this.done + offset),
    } as FileSink;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      timer.refresh();
      if (this.#total !== undefined && this.done + chunk.length > this.#total) {
        await this.discard();
        throw this.#refused(`${this.#total} bytes`, 'more');
      }
      await writeAll(sink, chunk);
      this.done += chunk.length;
      this.#options.onProgress?.(this.done, this.#total);
    }
  }

  /** Compares the hash and gives the file its name. */
  async complete(): Promise<Downloaded> {
    const hash = await hashFile(this.#part, { signal: this.#options.signal });
    if (this.#sha256 !== undefined && hash.sha256 !== this.#sha256) {
      await this.discard();
      throw this.#refused(`SHA-256 ${this.#sha256}`, `${hash.sha256}; what arrived was removed`);
    }
    await syncFile(this.#part);
    await rename(this.#part, this.#options.target);
    await rm(this.#statePath, { force: true });
    return hash;
  }

  async discard(): Promise<void> {
    await rm(this.#part, { force: true });
    await rm(this.#statePath, { force: true });
    this.done = 0;
  }

  #refused(expected: string, got: string): ModelError {
    return new ModelError(`Cannot fetch ${this.#url}: expected ${expected}, got ${got}`, this.#url);
  }
}
