/** Starts worker threads from src, as TypeScript, and from dist, as JavaScript. */
import { Worker } from 'node:worker_threads';
import { ownFile } from '../files/own-file.ts';

export type { Worker } from 'node:worker_threads';

/**
 * Starts the module at `script`, named with its `.ts` ending, in a thread of its own.
 *
 * From dist it is JavaScript; from src the thread has to register the loader itself: Node 20 does not apply --import to
 * threads. The process's own flags are not passed on, because some, like --input-type, would stop the thread.
 */
export function startWorkerThread(script: URL): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(ownFile(new URL(script.href.replace(/\.ts$/, '.js'))), { execArgv: [] });
  }
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const code = `import(${loader}).then(({ register }) => { register(); return import(${JSON.stringify(script.href)}); });`;
  return new Worker(code, { eval: true, execArgv: [] });
}
