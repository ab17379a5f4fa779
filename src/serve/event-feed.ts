/** Server-sent events of a clip: never more than four a second, and none of its entries lost. Source: WHATWG HTML, 9.2. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clip } from './clip.ts';

const LEAST_MS = 250;
const HEARTBEAT_MS = 15_000;

/**
 * Each event has the clip as it is then, with the entries of its log that the reader has not seen; its id is the number of
 * the last of them. The stream ends with the clip.
 *
 * @param lastSeen - the id that the reader has seen last, 0 for none.
 */
export function eventFeed(clip: Clip, lastSeen: number): Response {
  const over = new AbortController();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (text: string): void => controller.enqueue(encoder.encode(text));
      let seen = lastSeen;
      try {
        send(`retry: 1000\n\n`);
        while (!over.signal.aborted) {
          const changed = nextChange(clip, over.signal);
          const { log } = clip.record;
          const entries = log.filter(({ seq }) => seq > seen);
          seen = log.at(-1)?.seq ?? seen;
          send(`id: ${seen}\nevent: clip\ndata: ${JSON.stringify({ ...clip.view(), entries })}\n\n`);
          if (clip.hasEnded) break;
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
function nextChange(clip: Clip, signal: AbortSignal) {
  const changed = clip.change(signal).then(() => true);
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
