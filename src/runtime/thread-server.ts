/** A worker thread's side of {@link ThreadClient}: answers requests until it gets a request to close. */
import { parentPort } from 'node:worker_threads';
import type { CloseRequest, RequestMessage, RequestProgress, ResponseMessage } from './thread-client.ts';
import { packError } from './thread-errors.ts';

/** An answer, with the buffers in it that move to the caller instead of being copied. */
export interface Answer {
  readonly result: unknown;
  readonly transfer?: readonly ArrayBuffer[];
}

/** What reaches a request's caller at once, before the answer. */
export interface ThreadReports {
  readonly notice: (message: string) => void;
  readonly progress: (progress: RequestProgress) => void;
}

/** What a thread does. */
interface ThreadHandlers<R> {
  /** Answers one request; what it throws rejects the caller's promise. */
  readonly handle: (request: R, tell: ThreadReports) => Promise<Answer>;
  /** Whether a request waits for the end of the one before, or begins at once. */
  readonly order: 'one-by-one' | 'at-once';
  /** Called when the thread is asked to close, before what it has begun is waited for. */
  readonly stop?: () => void;
  /** Frees what the thread holds. */
  readonly dispose?: () => Promise<void>;
}

/**
 * Serves this thread's parent. The thread ends by the message `close`: ending it from outside while native code runs
 * would abort the whole process.
 */
export function serveThread<R>({ handle, order, stop, dispose }: ThreadHandlers<R>): void {
  const port = parentPort;
  if (port === null) throw new Error('this module runs in a worker thread only');
  const running = new Set<Promise<void>>();
  let last: Promise<void> = Promise.resolve();

  const answer = async ({ id, request }: RequestMessage<R>): Promise<void> => {
    let response: ResponseMessage;
    let transfer: readonly ArrayBuffer[] = [];
    try {
      const answered = await handle(request, {
        notice: (notice) => port.postMessage({ id, notice }),
        progress: (progress) => port.postMessage({ id, progress }),
      });
      response = { id, result: answered.result };
      transfer = answered.transfer ?? [];
    } catch (error) {
      response = { id, error: packError(error) };
    }
    port.postMessage(response, [...transfer]);
  };
  const close = async (id: number): Promise<void> => {
    stop?.();
    await Promise.all(running);
    await dispose?.();
    port.postMessage({ id, result: undefined } satisfies ResponseMessage);
    port.close();
  };
  port.on('message', (message: RequestMessage<R | CloseRequest>) => {
    if (isClose(message.request)) {
      void close(message.id);
      return;
    }
    const begin = order === 'one-by-one' ? last : Promise.resolve();
    last = begin.then(() => answer(message as RequestMessage<R>));
    const work = last.finally(() => running.delete(work));
    running.add(work);
  });
}

function isClose(request: unknown): request is CloseRequest {
  return (request as CloseRequest).kind === 'close';
}
