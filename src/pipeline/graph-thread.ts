/** Makes graphs in a worker thread, so that the caller's event loop goes on. */
import { ModelError } from '../errors.ts';
import type { Bundle } from '../models/bundle.ts';
import { startWorkerThread, type Worker } from '../runtime/worker-thread.ts';
import type { GraphOptions, NetworkName } from './bundle-graphs.ts';
import type { GraphRequest, GraphResponse } from './graph-worker.ts';

interface Pending {
  readonly resolve: (graph: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** One thread that makes a bundle's graphs, one after another. */
export class GraphThread {
  readonly #bundle: Bundle;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #nextId = 1;

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
    this.#worker = startWorkerThread(new URL('./graph-worker.ts', import.meta.url));
    this.#worker.on('message', (response: GraphResponse) => this.#settle(response));
    this.#worker.on('error', (error) => this.#rejectAll(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#rejectAll(new Error(`the graph thread ended with exit code ${code}`));
        resolve();
      });
    });
  }

  #settle(response: GraphResponse): void {
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    if ('graph' in response) pending?.resolve(response.graph);
    else if (response.expected) pending?.reject(new ModelError(response.message, response.modelPath));
    else pending?.reject(new Error(response.message));
  }

  #rejectAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  /**
   * Bytes of one network's graph.
   *
   * @throws {@link ModelError} if a weight file is damaged or does not fit the bundle's description.
   */
  build(network: NetworkName, options: GraphOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const request: GraphRequest = { id: this.#nextId++, bundle: this.#bundle.folder, network, options };
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Ends the thread after the graph that it is making; may be called twice. */
  async dispose(): Promise<void> {
    this.#worker.postMessage('close');
    await this.#exited;
  }
}
