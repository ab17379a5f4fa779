/** Looks at the locks of jobs in a queue, from outside of those who hold them. */
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

/** What was seen. */
export interface SeenLocks {
  /** Milliseconds that a lock had left when it had least. */
  readonly lowest: number;
  /** How often a job was taken from a worker that said nothing. */
  readonly stalls: number;
  /** How often a job was begun. */
  readonly attempts: number;
}

/** Watches until `end`. */
export async function watchLocks(url: string): Promise<{ end(): Promise<SeenLocks> }> {
  const { Redis } = await import('ioredis'); // an optional dependency
  const redis = new Redis(url);
  let lowest = Number.POSITIVE_INFINITY;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      for (const lock of await redis.keys('bull:*:lock')) {
        const left = await redis.pttl(lock);
        if (left >= 0) lowest = Math.min(lowest, left); // below, it has just been given back
      }
      await sleep(POLL_MS);
    }
  })();
  return {
    async end() {
      watching = false;
      await watch;
      let [stalls, attempts] = [0, 0];
      for (const job of await redis.keys('bull:lcm-portrait:*-*')) {
        if ((await redis.type(job)) !== 'hash') continue;
        const [stalled, started] = await redis.hmget(job, 'stc', 'ats');
        stalls += Number(stalled ?? 0);
        attempts += Number(started ?? 0);
      }
      redis.disconnect();
      return { lowest, stalls, attempts };
    },
  };
}
