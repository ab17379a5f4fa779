/** Batches and workers in studios, as the command line and the library start them. */

import type { RunBatchOptions } from './batch-options.ts';
import type { BatchManifest } from './manifest-schema.ts';
import { type BatchRun, startBatch } from './run-batch.ts';
import { studioRenderer } from './studio-renderer.ts';
import type { RunWorkerOptions } from './worker-options.ts';

/**
 * Renders the clips of a manifest. Finished ones are recognised by the contents of their inputs and their options, and
 * stay; ones that were begun go on from their checkpoints to the same bytes. Each job fails alone.
 *
 * @param manifest - path of a YAML, JSON, JSON Lines or CSV file, or the manifest itself.
 * @returns at once; the batch runs whether or not its events are read. Its `report` rejects with {@link ManifestError} if
 *   the manifest is wrong, and with {@link InvalidOptionError} if an option is.
 * @example
 * const run = runBatch('jobs.yaml', { signal });
 * for await (const event of run) if (event.type === 'job') console.log(event.job.name, event.job.state);
 * const { counts } = await run.report;
 */
export function runBatch(manifest: string | BatchManifest, options: RunBatchOptions = {}): BatchRun {
  return startBatch(manifest, options, {
    openRenderer: async ({ device, threads, onNotice }) =>
      studioRenderer({ device, ...(threads !== undefined && { threads }), onNotice }),
    env: options.ffmpegPath === undefined ? {} : { FFMPEG_PATH: options.ffmpegPath },
  });
}

/**
 * Renders jobs from a queue until `signal` aborts, or with `untilEmpty` until nothing is left. Jobs that are not finished
 * then go back to the queue, with their checkpoints.
 *
 * @throws {@link InvalidOptionError} if the address of the queue or another option is wrong.
 * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { device, threads, onEvent } = options;
  const worker = await import('./run-worker.ts');
  await worker.runWorker(options, async () =>
    studioRenderer({
      ...(device !== undefined && { device }),
      ...(threads !== undefined && { threads }),
      onNotice: (message) => onEvent?.({ type: 'notice', message }),
    }),
  );
}
