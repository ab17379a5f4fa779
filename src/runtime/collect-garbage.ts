/** Garbage collection at a chosen moment, for threads that hold large arrays and allocate little themselves. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Frees what this thread does not use any more. A thread that only hands tensors to native code would keep the arrays of a graph,
 * tens of megabytes each, until it has allocated as much again.
 */
export function collectGarbage(): void {
  // The function exists in contexts that are made while the flag is set.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  collect();
}
