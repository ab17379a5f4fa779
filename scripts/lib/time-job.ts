/** Runs the command line in a process of its own, and measures it from outside. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnimateResult } from '../../src/pipeline/animate-options.ts';

/** Where `npm run build` puts the command. */
export const BUILT_COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Writes the largest size that a process has had, in kilobytes, when it ends. */
const REPORT_MEMORY = `data:text/javascript,${encodeURIComponent(`
  import { writeFileSync } from 'node:fs';
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread) process.on('exit', () =>
    writeFileSync(process.env.BENCHMARK_MEMORY_FILE, String(process.resourceUsage().maxRSS)));
`)}`;

/** One run. */
export interface TimedJob {
  readonly result: AnimateResult;
  /** Seconds from the start of the process to its end. */
  readonly wall: number;
  /** Largest resident size of the process in bytes, without ffmpeg's. */
  readonly peakBytes: number;
}

/** Options of {@link timeJob}. */
export interface TimeJobOptions {
  /** Arguments of `animate`. */
  readonly args: readonly string[];
  /** Folder for the video and notes, removed by the caller. */
  readonly folder: string;
}

/**
 * Times one `animate` command.
 *
 * @throws Error if it fails; its own message has then been printed.
 */
export async function timeJob({ args, folder }: TimeJobOptions): Promise<TimedJob> {
  const memoryFile = path.join(folder, 'memory.txt');
  const begin = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...['--import', REPORT_MEMORY, BUILT_COMMAND, 'animate', ...args],
      ...['--output', path.join(folder, 'clip.mp4'), '--force', '--json'],
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, BENCHMARK_MEMORY_FILE: memoryFile },
    },
  );
  let lastLine = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (lastLine + text).trimEnd().split('\n');
    lastLine = text.endsWith('\n') ? `${lines.at(-1)}\n` : lines.at(-1)!;
  });
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const wall = (performance.now() - begin) / 1000;
  if (code !== 0) throw new Error(`Cannot measure ${args.join(' ')}: expected exit code 0, got ${code}`);
  const result = JSON.parse(lastLine) as AnimateResult;
  return { result, wall, peakBytes: Number(await readFile(memoryFile, 'utf8')) * 1024 };
}
