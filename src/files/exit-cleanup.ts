/** Work that must be done even when the process ends early: kill children, remove unfinished files. */

const pending = new Set<() => void>();

function runPending(): void {
  for (const cleanup of pending) {
    try {
      cleanup();
    } catch {
      // One failed cleanup must not keep the others from running.
    }
  }
  pending.clear();
}

/**
 * Calls `cleanup`, which must be synchronous, when the process exits by itself or through `process.exit()`.
 * A process that is ended by a signal without a handler runs no exit handlers: programs turn signals into exits.
 *
 * @returns a function that takes the cleanup back; it may be called twice.
 */
export function onProcessExit(cleanup: () => void): () => void {
  if (pending.size === 0) process.on('exit', runPending);
  pending.add(cleanup);
  return () => {
    if (pending.delete(cleanup) && pending.size === 0) process.off('exit', runPending);
  };
}
