/** Lets the steps of a pipeline work at the same time, each some items ahead of the one that reads it. */

/** Options of {@link readAhead}. */
interface ReadAheadOptions {
  /** Items that may wait before the source pauses, 1 or more. */
  readonly size: number;
  /** Called when the reader stops before the end: the source, which may be busy for long, need not go on. */
  readonly onAbandoned?: (() => void) | undefined;
}

/**
 * Gives the items of `source`, which works on the next ones while the reader works on this one. What the source fails with is
 * thrown as soon as the reader asks again, before the items that wait. The source has ended when this generator has.
 */
export async function* readAhead<T extends object>(
  source: AsyncIterable<T>,
  { size, onAbandoned }: ReadAheadOptions,
): AsyncGenerator<T, void> {
  const waiting: T[] = [];
  let abandoned = false;
  let end: { readonly error?: unknown } | undefined;
  // The reader waits where nothing does, the source where enough does: never both.
  let wake = (): void => {};
  const change = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  const read = async (): Promise<void> => {
    try {
      for await (const item of source) {
        waiting.push(item);
        wake();
        while (waiting.length >= size && !abandoned) await change();
        if (abandoned) break;
      }
      end = {};
    } catch (error) {
      end = { error };
    }
    wake();
  };
  const reading = read();
  const failed = (): boolean => end !== undefined && 'error' in end;
  try {
    for (;;) {
      if (failed()) throw end?.error;
      const item = waiting.shift();
      if (item !== undefined) {
        wake();
        yield item;
      } else if (end !== undefined) return;
      else await change();
    }
  } finally {
    abandoned = end === undefined || waiting.length > 0;
    if (abandoned) onAbandoned?.();
    wake();
    await reading;
  }
}

/** Gives the items of `source` when it has ended. */
export async function* readWhole<T>(source: AsyncIterable<T>): AsyncGenerator<T, void> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  // Each is forgotten as it goes.
  for (let item = items.shift(); item !== undefined; item = items.shift()) yield item;
}
