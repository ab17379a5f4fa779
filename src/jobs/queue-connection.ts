/** The one file that knows BullMQ, which is optional: it is loaded when a queue is used. */
import type { Job, Queue, Worker } from 'bullmq';
import { EnvironmentError, InvalidOptionError } from '../errors.ts';

export type { Job, Queue, Worker } from 'bullmq';

/** Name of the queue in Redis; several on one server are told apart by the number of the database. */
const QUEUE_NAME = 'lcm-portrait';
const CONNECT_SECONDS = 10;
const MAX_RECONNECT_MS = 2000;

/** What a queue takes and gives. */
export interface QueueTypes<Data, Progress> {
  readonly data: Data;
  readonly progress: Progress;
}

/** How long a worker that says nothing has its jobs. */
export interface StallOptions {
  /** Seconds after which the jobs of a silent worker go to others. */
  readonly lockSeconds: number;
  /** How often a job may be left by workers that were killed before it counts as what kills them. */
  readonly maxStalls: number;
}

/** What BullMQ must be told by throwing: the job went back to the queue. */
export type BullErrors = Pick<typeof import('bullmq'), 'UnrecoverableError' | 'WaitingError'>;

/** A URL without its password, for messages. */
export function redactUrl(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//…@');
}

/** @throws {@link InvalidOptionError} unless it is a URL of a Redis server. */
export function assertQueueUrl(option: string, url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && ['redis:', 'rediss:'].includes(parsed.protocol) && parsed.hostname !== '')
    return;
  throw new InvalidOptionError(
    `Cannot use ${option}: expected redis://host:port/database or rediss://…, got ${redactUrl(url)}`,
    option,
    redactUrl(url),
  );
}

/**
 * Opens the queue.
 *
 * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
 */
export async function openQueue<Data>(url: string): Promise<Queue<Data>> {
  const bullmq = await loadBullmq();
  const queue = new bullmq.Queue<Data>(QUEUE_NAME, { connection: connectionOf(url) });
  let problem: Error | undefined;
  queue.on('error', (error: Error) => {
    problem = error;
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      queue.waitUntilReady(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(problem ?? new Error('no answer')), CONNECT_SECONDS * 1000);
        timer.unref();
        queue.once('error', reject);
      }),
    ]);
    return queue as unknown as Queue<Data>;
  } catch (cause) {
    await queue.disconnect().catch(() => {});
    const got = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    throw new EnvironmentError(
      `Cannot use queue ${redactUrl(url)}: expected a Redis server that answers, got ${got}`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Starts to take jobs. Locks are renewed by whoever works on a job, on the monotonic clock. */
export async function openWorker<Data>(
  url: string,
  options: StallOptions & { readonly name: string; readonly concurrency: number },
  work: (job: Job<Data, unknown>, token: string, errors: BullErrors) => Promise<unknown>,
): Promise<Worker<Data, unknown>> {
  const bullmq = await loadBullmq();
  const { lockSeconds, maxStalls, name, concurrency } = options;
  return new bullmq.Worker<Data, unknown>(QUEUE_NAME, (job, token) => work(job, token!, bullmq), {
    connection: connectionOf(url),
    name,
    concurrency,
    lockDuration: lockSeconds * 1000,
    stalledInterval: (lockSeconds * 1000) / 2,
    maxStalledCount: maxStalls,
    skipLockRenewal: true,
    autorun: false,
  });
}

function connectionOf(url: string) {
  return {
    url,
    // A server that restarts is waited for, and what was asked meanwhile is asked then.
    maxRetriesPerRequest: null,
    retryStrategy: (attempt: number) => Math.min(MAX_RECONNECT_MS, 100 * attempt),
  };
}

async function loadBullmq(): Promise<typeof import('bullmq')> {
  try {
    await import('ioredis');
    return await import('bullmq');
  } catch (cause) {
    throw new EnvironmentError(
      'Cannot use a queue: expected the packages bullmq and ioredis, got none; install them with: npm install bullmq ioredis',
      { cause },
    );
  }
}
