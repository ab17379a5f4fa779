/** Comparisons in a thread of their own: looking at frames takes long, and the server has to answer meanwhile. */
import type { CompareEvent, CompareOptions } from '../compare/compare-options.ts';
import type { CompareReport } from '../compare/report.ts';
import { ownUrl } from '../files/own-file.ts';
import { ThreadClient } from '../runtime/thread-client.ts';

/** What the thread is asked. Events come as JSON, in notices. */
export type CompareRequest =
  | { readonly kind: 'compare'; readonly options: Omit<CompareOptions, 'signal' | 'onProgress'> }
  | { readonly kind: 'stop' };

/** What it answers. */
interface CompareResults extends Record<CompareRequest['kind'], unknown> {
  readonly compare: CompareReport;
  readonly stop: undefined;
}

/**
 * Compares as the library does.
 *
 * @throws what `compare` throws.
 */
export async function compareInThread({
  signal,
  onProgress,
  ...options
}: CompareOptions): Promise<CompareReport> {
  signal?.throwIfAborted();
  const client = new ThreadClient<CompareRequest, CompareResults>(
    ownUrl('./compare-worker.ts', import.meta.url),
  );
  const stop = (): void => void client.request({ kind: 'stop' }).catch(() => {}); // it has ended by itself
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await client.request(
      { kind: 'compare', options },
      { onNotice: (event) => onProgress?.(JSON.parse(event) as CompareEvent) },
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await client.close();
  }
}
