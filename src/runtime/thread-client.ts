/** Calls into a worker thread: requests go out as messages, and answers come back under their numbers. */
import { type PackedError, unpackError } from './thread-errors.ts';
import { startWorkerThread, type Worker } from './worker-thread.ts';

/** A request on its way, with the number that its answer carries. */
export interface RequestMessage<R> {
  readonly id: number;
  readonly request: R;
}

/** How far a request is, in a unit of its own; `total` where it is known. */
export interface RequestProgress {
  readonly done: number;
  readonly total: number | undefined;
}

/** What a thread sends: an answer, an error in its place, or before either a sentence for the user, or how far it is. */
export type ResponseMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PackedError }
  | { readonly id: number; readonly notice: string }
  | { readonly id: number; readonly progress: RequestProgress };

/** The request that every thread understands: it finishes what it has begun, then ends. */
export interface CloseRequest {
  readonly kind: 'close';
}

/** Options of {@link ThreadClient.request}. */
export interface CallOptions {
  /** Buffers that move to the thread instead of being copied. */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
  /** Receives what the thread notices while it works. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** Receives how far the thread is. */
  readonly onProgress?: ((progress: RequestProgress) => void) | undefined;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  readonly onNotice: CallOptions['onNotice'];
  readonly onProgress: CallOptions['onProgress'];
}

/**
 * A worker thread and the requests that wait for its answers. `R` is the union of requests, distinguished by `kind`;
 * `Results` says what each kind is answered with. While no request waits, the thread does not keep the process alive.
 */
export class ThreadClient<R extends { readonly kind: string }, Results extends Record<R['kind'], unknown>> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #failure: Error | undefined;
  #closed: Promise<void> | undefined;
  #nextId = 1;

  /** @param script - the thread's module, as {@link startWorkerThread} takes it. */
  constructor(script: URL) {
    this.#worker = startWorkerThread(script);
    this.#worker.on('message', (message: ResponseMessage) => this.#settle(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#fail(new Error(`the worker thread ended with exit code ${code}`));
        resolve();
      });
    });
    this.#worker.unref();
  }

  #settle(message: ResponseMessage): void {
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if ('notice' in message) {
      pending.onNotice?.(message.notice);
      return;
    }
    if ('progress' in message) {
      pending.onProgress?.(message.progress);
      return;
    }
    this.#forget(message.id);
    if ('result' in message) pending.resolve(message.result as never);
    else pending.reject(unpackError(message.error));
  }

  #forget(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  /** Sends a request; rejects with the error that the thread's handler threw, or with why the thread has ended. */
  request<K extends R>(request: K, options: CallOptions = {}): Promise<Results[K['kind'] & keyof Results]> {
    return this.#send(request, options);
  }

  #send(
    request: R | CloseRequest,
    { transfer = [], onNotice, onProgress }: CallOptions = {},
  ): Promise<never> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject, onNotice, onProgress });
      this.#worker.ref();
      try {
        const message: RequestMessage<R | CloseRequest> = { id, request };
        this.#worker.postMessage(message, [...transfer]);
      } catch (error) {
        this.#forget(id);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Ends the thread after the requests that it has; may be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    // A thread that fails meanwhile has ended as well.
    await this.#send({ kind: 'close' }).catch(() => undefined);
    this.#worker.ref();
    await this.#exited;
  }
}
