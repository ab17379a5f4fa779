/** Server-sent events of an order: never more than four a second, and none of its entries lost. Source: WHATWG HTML, 9.2. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Order } from './order.ts';

const LEAST_MS = 250;
const HEARTBEAT_MS = 15_000;

/**
 * Each event has the order as it is then, with the entries of its log that the reader has not seen; its id is the number of
 * the last of them. Its type is the order's kind. The stream ends with the order.
 *
 * @param lastSeen - the id that the reader has seen last, 0 for none.
 */
export function eventFeed(order: Order, lastSeen: number): Response {
  const over = new AbortController();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (text: string): void => controller.enqueue(encoder.encode(text));
      let seen = lastSeen;
      try {
        send(`retry: 1000\n\n`);
        while (!over.signal.aborted) {
          const changed = nextChange(order, over.signal);
          const { log } = order.record;
          const entries = log.filter(({ seq }) => seq > seen);
          seen = log.at(-1)?.seq ?? seen;
          send(
            `id: ${seen}\nevent: ${order.kind}\ndata: ${JSON.stringify({ ...order.view(), entries })}\n\n`,
          );
          if (order.hasEnded) break;
          await sleep(LEAST_MS, undefined, { signal: over.signal });
          while (!(await changed.within(HEARTBEAT_MS))) send(': still here\n\n');
        }
        controller.close();
      } catch (error) {
        if (!over.signal.aborted) controller.error(error);
      }
    },
    cancel: () => over.abort(),
  });
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  });
}

/** Notes a change from now on, also one that comes before anybody waits for it. */
function nextChange(order: Order, signal: AbortSignal) {
  const changed = order.change(signal).then(() => true);
  return {
    within: async (ms: number): Promise<boolean> => {
      const late = new AbortController();
      try {
        const limit = sleep(ms, false, { signal: AbortSignal.any([late.signal, signal]) }).catch(() => true);
        return await Promise.race([changed, limit]);
      } finally {
        late.abort();
      }
    },
  };
}
