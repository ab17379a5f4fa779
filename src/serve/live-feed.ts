/** The video of a clip while it is rendered: what there is, and what comes, until there is all of it. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clip } from './clip.ts';
import { RequestError } from './problem.ts';

const PIECE_BYTES = 65_536;
/** Files of workers elsewhere tell nobody that they have grown. */
const LOOK_MS = 100;

/**
 * Waits for the first piece, then sends what is written as it is written. A clip that is started again ends the response; the next
 * one starts at the beginning, of which all that was rendered comes at once.
 *
 * @throws {@link RequestError} if the clip ends before there is anything.
 */
export async function liveFeed(clip: Clip, file: string, signal: AbortSignal): Promise<Response> {
  const handle = await openWhenThere(clip, file, signal);
  const { ino } = await handle.stat();
  let position = 0;
  const over = new AbortController();
  const buffer = Buffer.alloc(PIECE_BYTES);
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const hasEnded = clip.hasEnded;
            const { bytesRead } = await handle.read(buffer, 0, PIECE_BYTES, position);
            if (bytesRead > 0) {
              position += bytesRead;
              controller.enqueue(new Uint8Array(buffer.subarray(0, bytesRead)));
              return;
            }
            const isSame = hasEnded || (await stat(file).catch(() => undefined))?.ino === ino;
            if (hasEnded || !isSame || over.signal.aborted) {
              await handle.close();
              controller.close();
              return;
            }
            await sleep(LOOK_MS, undefined, { signal: over.signal }).catch(() => {});
          }
        } catch (error) {
          await handle.close().catch(() => {});
          if (!over.signal.aborted) controller.error(error);
        }
      },
      async cancel() {
        over.abort();
        await handle.close().catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: { 'content-type': 'video/mp4', 'cache-control': 'no-store', 'accept-ranges': 'none' },
  });
}

async function openWhenThere(clip: Clip, file: string, signal: AbortSignal): Promise<FileHandle> {
  for (;;) {
    if (clip.hasEnded) {
      throw new RequestError(
        'conflict',
        `Cannot send the live video: expected a clip that is rendered, got one that is ${clip.state}`,
      );
    }
    signal.throwIfAborted();
    // Before, what is there was left by an earlier attempt, also of a server that was killed.
    const found = clip.state === 'processing' ? await stat(file).catch(() => undefined) : undefined;
    const handle = found && found.size > 0 ? await open(file, 'r').catch(() => undefined) : undefined;
    if (handle !== undefined) return handle;
    await sleep(LOOK_MS, undefined, { signal });
  }
}
