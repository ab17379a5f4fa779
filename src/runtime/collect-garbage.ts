/** Garbage collection at a chosen moment, for threads that hold large arrays and allocate little themselves. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Threads that look for the function at the same moment take it from each other; so many times in a row is no accident. */
const TRIES = 1000;

let collect: (() => void) | undefined;

/**
 * Frees what this thread does not use any more. A thread that only hands tensors to native code would keep the arrays of a graph,
 * tens of megabytes each, until it has allocated as much again.
 */
export function collectGarbage(): void {
  for (let tries = 0; collect === undefined && tries < TRIES; tries++) collect = findCollector();
  collect?.();
}

/** The engine's function, which exists in contexts that are made while a flag of the whole process is set. */
function findCollector(): (() => void) | undefined {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  return found as (() => void) | undefined;
}
