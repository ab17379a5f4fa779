/**
 * Gives damaged manifests, safetensors, pickles and archives to what reads them, for as long as is asked for: no crash, no untyped
 * error, nothing over 20 s, nothing left behind, memory within bounds.
 *
 *     node --import=tsx scripts/bench/fuzz-readers.ts [MINUTES [FIRST]]
 *
 * FIRST is the number of the first input; a number that was reported makes the same input again: `fuzz-readers.ts 0 NUMBER`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FuzzResult, fuzzReaders } from '../lib/fuzz-readers.ts';
import { fuzzSeeds } from '../lib/fuzz-seeds.ts';

/** Inputs of one process. */
const ROUND = 2000;
const HANG_MS = 20_000;
/** The first input comes after the program has been loaded. */
const START_MS = 120_000;
/** Megabytes that JavaScript's objects and buffers may take. */
const MAX_MEGABYTES = 1500;

/** What a round tells the watcher. */
interface Message {
  /** The input that is read now. */
  readonly input?: string;
  readonly result?: FuzzResult & { readonly megabytes: number };
}

if (process.send === undefined) await watch();
else await work();

/** Runs rounds in a process each: one that hangs can be ended, and memory is fresh. */
async function watch(): Promise<void> {
  const [minutes = 1, given = Date.now() % 1e9] = process.argv.slice(2).map(Number) as [number?, number?];
  const end = performance.now() + minutes * 60_000;
  let first = given;
  let [tried, read, refused, slowest, megabytes] = [0, 0, 0, 0, 0];
  const failures: string[] = [];
  console.log(`from input ${first} on`);
  do {
    const result = await runRound(first, minutes === 0 ? 1 : ROUND);
    tried += result.tried;
    read += result.read;
    refused += result.refused;
    slowest = Math.max(slowest, result.slowestSeconds);
    megabytes = Math.max(megabytes, result.megabytes);
    failures.push(...result.failures);
    first += ROUND;
  } while (performance.now() < end && failures.length < 20);
  console.log(
    `${tried} inputs: ${read} read, ${refused} refused, slowest ${slowest.toFixed(2)} s, at most ${megabytes} MB, ${failures.length} failures`,
  );
  for (const failure of failures) console.log(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

function runRound(first: number, count: number): Promise<FuzzResult & { readonly megabytes: number }> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [String(first), String(count)], {
    execArgv: process.execArgv,
  });
  return new Promise((resolve) => {
    let at = String(first);
    let tried = 0;
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      const failures = [`${at}: ${why}`];
      resolve({ tried, read: 0, refused: 0, slowestSeconds: 0, megabytes: 0, failures });
    };
    let timer = setTimeout(() => fail('does not begin'), START_MS);
    child.on('message', ({ input, result }: Message) => {
      clearTimeout(timer);
      if (result !== undefined) {
        const { megabytes } = result;
        const grown = megabytes > MAX_MEGABYTES ? [`up to ${at}: ${megabytes} MB of memory`] : [];
        resolve({ ...result, failures: [...result.failures, ...grown] });
        return;
      }
      at = input!;
      tried += 1;
      timer = setTimeout(() => fail('hangs'), HANG_MS);
    });
    child.on('exit', (code, signal) => fail(`ended the process (${signal ?? code})`));
  });
}

async function work(): Promise<void> {
  const [first, count] = process.argv.slice(2).map(Number) as [number, number];
  const folder = path.join(os.tmpdir(), `lcm-portrait-fuzz-${process.pid}`);
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  let megabytes = 0;
  const send = (message: Message): void => void process.send!(message);
  try {
    const result = await fuzzReaders(fuzzSeeds(), numbers, folder, (number, name) => {
      megabytes = Math.max(megabytes, Math.round(process.memoryUsage.rss() / 1e6));
      send({ input: `${number}, ${name}` });
    });
    send({ result: { ...result, megabytes } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.disconnect();
}
