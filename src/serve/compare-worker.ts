/** The thread that {@link compareInThread} starts. */
import { compare } from '../compare/compare.ts';
import { serveThread } from '../runtime/thread-server.ts';
import type { CompareRequest } from './compare-thread.ts';

const stopping = new AbortController();

serveThread<CompareRequest>({
  order: 'at-once',
  stop: () => stopping.abort(new Error('the server stops')),
  handle: async (request, { notice }) => {
    if (request.kind === 'stop') {
      stopping.abort(new Error('the server stops'));
      return { result: undefined };
    }
    const onProgress = (event: unknown): void => notice(JSON.stringify(event));
    return { result: await compare({ ...request.options, signal: stopping.signal, onProgress }) };
  },
});
