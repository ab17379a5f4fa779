/** The one file that knows BullMQ, which is optional: it is loaded when a queue is used. */
import type { Job, Queue, Worker } from 'bullmq';
import { EnvironmentError, InvalidOptionError } from '../errors.ts';

export type { Job, Queue, Worker } from 'bullmq';

/** Name of the queue in Redis; several on one server are distinguished by the number of the database. */
const QUEUE_NAME = 'lcm-portrait';
const CONNECT_SECONDS = 10;
const MAX_RECONNECT_MS = 2000;

/** How long a worker that says nothing has its jobs. */
interface StallOptions {
  /** Seconds after which the jobs of a silent worker go to others. */
  readonly lockSeconds: number;
  /** How often a job may be left by workers that were killed before it counts as what kills them. */
  readonly maxStalls: number;
}

/** Thrown to tell BullMQ: the job went back to the queue. */
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
  const problem = { expected: 'redis://host:port/database or rediss://…', got: redactUrl(url) };
  throw new InvalidOptionError(problem, option, redactUrl(url));
}

/**
 * Opens the queue.
 *
 * @throws {@link EnvironmentError} if BullMQ is not installed, or the server does not answer.
 */
export async function openQueue<Data>(url: string): Promise<Queue<Data>> {
  const { bullmq, Redis } = await loadBullmq();
  await assertAnswers(Redis, url);
  return new bullmq.Queue<Data>(QUEUE_NAME, { connection: connectionOf(url) }) as unknown as Queue<Data>;
}

/** A server that is not there is reported once, not waited for. */
async function assertAnswers(Redis: RedisClass, url: string): Promise<void> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_SECONDS * 1000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let problem: Error | undefined;
  client.on('error', (error: Error) => {
    problem = error;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    const cause = problem ?? (error as Error);
    const got = (cause as NodeJS.ErrnoException).code ?? cause.message;
    throw new EnvironmentError(
      `Cannot use queue ${redactUrl(url)}: expected a Redis server that answers, got ${got}`,
      { cause },
    );
  } finally {
    client.disconnect();
  }
}

/** Starts to take jobs. The worker renews its jobs' locks, on the monotonic clock. */
export async function openWorker<Data>(
  url: string,
  options: StallOptions & { readonly name: string; readonly concurrency: number },
  work: (job: Job<Data, unknown>, token: string, errors: BullErrors) => Promise<unknown>,
): Promise<Worker<Data, unknown>> {
  const { bullmq } = await loadBullmq();
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

type RedisClass = typeof import('ioredis').Redis;

async function loadBullmq(): Promise<{ bullmq: typeof import('bullmq'); Redis: RedisClass }> {
  try {
    const { Redis } = await import('ioredis');
    return { bullmq: await import('bullmq'), Redis };
  } catch (cause) {
    throw new EnvironmentError(
      'Cannot use a queue: expected the packages bullmq and ioredis, got none; install them with: npm install bullmq ioredis',
      { cause },
    );
  }
}
