/**
 * Gives damaged manifests, safetensors, pickles and archives to what reads them, for as long as is asked for: no crash, no untyped
 * error, nothing over 20 s, nothing left behind, memory within bounds.
 *
 *     node --import=tsx scripts/bench/fuzz-readers.ts [MINUTES [FIRST]]
 *
 * FIRST is the number of the first input; a number that is told makes the same input again: `fuzz-readers.ts 0 NUMBER`.
 */
import os from 'node:os';
import path from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fuzzReaders } from '../lib/fuzz-readers.ts';
import { fuzzSeeds } from '../lib/fuzz-seeds.ts';

/** Inputs between two looks at the clock and the memory. */
const ROUND = 500;
const HANG_MS = 20_000;
/** Beyond what the process has when it begins. */
const MAX_GROWTH_BYTES = 1.5e9;

if (isMainThread) await watch();
else await work(workerData as { first: number; rounds: number });

/** Runs rounds in a thread: one that hangs can be ended. */
async function watch(): Promise<void> {
  const [minutes = 1, given = Date.now() % 1e9] = process.argv.slice(2).map(Number) as [number?, number?];
  const end = performance.now() + minutes * 60_000;
  let first = given;
  let [tried, read, refused, slowest] = [0, 0, 0, 0];
  const failures: string[] = [];
  const before = process.memoryUsage().rss;
  console.log(`from input ${first} on`);
  do {
    const result = await round(first, minutes === 0 ? 1 : ROUND);
    tried += result.tried;
    read += result.read;
    refused += result.refused;
    slowest = Math.max(slowest, result.slowestSeconds);
    failures.push(...result.failures);
    const grown = process.memoryUsage().rss - before;
    if (grown > MAX_GROWTH_BYTES)
      failures.push(`memory has grown by ${Math.round(grown / 1e6)} MB up to input ${first}`);
    first += ROUND;
  } while (performance.now() < end && failures.length < 20);
  console.log(
    `${tried} inputs: ${read} read, ${refused} refused, slowest ${slowest.toFixed(2)} s, ${failures.length} failures`,
  );
  for (const failure of failures) console.log(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

type Result = Awaited<ReturnType<typeof fuzzReaders>>;

function round(first: number, count: number): Promise<Result> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { first, rounds: count } });
  return new Promise((resolve) => {
    let at = `${first}`;
    let done = 0;
    const fail = (why: string): void => {
      clearTimeout(timer);
      void worker.terminate();
      resolve({ tried: done, read: 0, refused: 0, slowestSeconds: 0, failures: [`${at}: ${why}`] });
    };
    let timer = setTimeout(() => fail('hangs'), 2 * HANG_MS);
    worker.on('message', (message: { readonly input?: string; readonly result?: Result }) => {
      clearTimeout(timer);
      if (message.result !== undefined) {
        resolve(message.result);
        return;
      }
      at = message.input!;
      done += 1;
      timer = setTimeout(() => fail('hangs'), HANG_MS);
    });
    worker.on('error', (error) => fail(`ends the thread: ${error.stack}`));
  });
}

async function work({ first, rounds }: { first: number; rounds: number }): Promise<void> {
  const folder = path.join(os.tmpdir(), `lcm-portrait-fuzz-${process.pid}-${first}`);
  const numbers = Array.from({ length: rounds }, (_, i) => first + i);
  const result = await fuzzReaders(fuzzSeeds(), numbers, folder, (number, name) =>
    parentPort!.postMessage({ input: `${number}, ${name}` }),
  );
  const { rmSync } = await import('node:fs');
  rmSync(folder, { recursive: true, force: true });
  parentPort!.postMessage({ result });
}
