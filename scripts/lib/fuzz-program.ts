/** Gives damaged files to the program as users start it: it does its work, or says in a line what is wrong and ends as it should. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FuzzResult, FuzzSeed } from './fuzz-readers.ts';
import { mutate, seededRandom } from './mutations.ts';

const ASSETS = fileURLToPath(new URL('../../assets/', import.meta.url));
const PORTRAIT = path.join(ASSETS, 'portraits/ada.jpg');
const SPEECH = path.join(ASSETS, 'speech/short.wav');
/** A busy machine may take its time; what takes longer hangs. */
const HANG_MS = 120_000;
/** Statuses that say what went wrong; 1 is a mistake of the program, and signals and all else are none of its own. */
const EXPECTED = (status: number | null): boolean => status !== null && status >= 2 && status <= 11;

/** What the program is asked to do with a file; nothing is rendered. */
export function argumentsFor(name: string): string[] {
  const clip = (portrait: string, ...others: string[]): string[] => [
    ...['animate', '--portrait', portrait, ...others, '--output', 'out.mp4', '--dry-run'],
  ];
  if (/^(?:jobs|cases)\./.test(name)) return ['batch', name, '--dry-run'];
  if (/\.motion$/.test(name)) return clip(PORTRAIT, '--motion', name);
  if (/\.(?:safetensors|pth|pkl)$/.test(name)) return clip(PORTRAIT, '--audio', SPEECH, '--lora', name);
  if (/\.(?:jpg|png|webp|gif|tif|avif)$/.test(name)) return clip(name, '--audio', SPEECH);
  return clip(PORTRAIT, '--audio', name);
}

/** How a process ended. */
interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

function run(command: readonly string[], args: readonly string[], cwd: string): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const [file = '', ...before] = command;
    const child = spawn(file, [...before, ...args], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: HANG_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, NODE_OPTIONS: '', LCM_PORTRAIT_DEBUG: '' },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stderr }));
  });
}

/** Why an ending is not as it should be; undefined if it is. */
export function faultOf({ status, signal, stderr }: Ending): string | undefined {
  if (status !== 0 && !EXPECTED(status))
    return `ended with ${signal ?? `status ${status}`}: ${stderr.slice(-500)}`;
  if (/^ {4}at |UnhandledPromise|\(unexpected;/m.test(stderr))
    return `printed a stack trace: ${stderr.slice(-500)}`;
  if (status !== 0 && !/^lcm-portrait: error: /m.test(stderr)) return `said nothing (status ${status})`;
  return undefined;
}

/**
 * Starts the program on damaged copies of `seeds` in `folder`, which is made and emptied.
 *
 * @param command - the program: the file to start, and what stands before its arguments.
 * @param numbers - each makes one input: which file, and what is wrong with it.
 */
export async function fuzzProgram(
  seeds: readonly FuzzSeed[],
  numbers: Iterable<number>,
  { command, folder }: { readonly command: readonly string[]; readonly folder: string },
): Promise<FuzzResult> {
  const failures: string[] = [];
  let [tried, read, refused, slowestSeconds] = [0, 0, 0, 0];
  for (const number of numbers) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const random = seededRandom(number);
    const seed = seeds[Math.floor(random() * seeds.length)]!;
    writeFileSync(path.join(folder, seed.name), mutate(seed.bytes, random));
    const begin = performance.now();
    const ending = await run(command, argumentsFor(seed.name), folder);
    slowestSeconds = Math.max(slowestSeconds, (performance.now() - begin) / 1000);
    const fault = faultOf(ending);
    if (fault !== undefined) failures.push(`${number}, ${seed.name}: ${fault}`);
    const left = readdirSync(folder).filter((name) => name !== seed.name);
    if (left.length > 0) failures.push(`${number}, ${seed.name}: left ${left.join(', ')}`);
    if (ending.status === 0) read += 1;
    else refused += 1;
    tried += 1;
  }
  rmSync(folder, { recursive: true, force: true });
  return { tried, read, refused, failures, slowestSeconds };
}
