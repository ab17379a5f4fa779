/** What scripts/bench/measure-batch.ts runs: batches, single clips and workers in processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BatchEvent } from '../../src/jobs/batch-events.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { BUILT_COMMAND } from './time-job.ts';
import { encodeWav } from './wav.ts';

const ASSETS = fileURLToPath(new URL('../../assets/', import.meta.url));
const SAMPLE_RATE = 16_000;
const PORTRAITS = ['ada', 'ben', 'cleo'];
/** Seconds of the clips of the throughput, and of those of the memory. */
const SHORT_SECONDS = 1.2;
const SHORTEST_SECONDS = 0.4;

/** Runs `work` in a folder with portraits and as many recordings as there are clips. */
async function inFolder<T>(clips: number, seconds: number, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-batch-'));
  try {
    for (const name of PORTRAITS)
      cpSync(path.join(ASSETS, `portraits/${name}.jpg`), path.join(folder, `${name}.jpg`));
    const ffmpeg = await locateFfmpeg({ env: process.env });
    const { pcm } = await readAudio(path.join(ASSETS, 'speech/welcome.wav'), {
      ffmpeg,
      sampleRate: SAMPLE_RATE,
    });
    const length = seconds * SAMPLE_RATE;
    for (let i = 0; i < clips; i++) {
      const start = (i * 1600) % (pcm.length - length);
      writeFileSync(path.join(folder, `${i}.wav`), encodeWav(pcm.slice(start, start + length), SAMPLE_RATE));
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeManifest(folder: string, clips: number, defaults: string): string {
  const file = path.join(folder, 'jobs.yaml');
  const jobs = Array.from(
    { length: clips },
    (_, i) => `  - {portrait: ${PORTRAITS[i % 3]}.jpg, audio: ${i}.wav}\n`,
  );
  writeFileSync(file, `defaults: ${defaults}\njobs:\n${jobs.join('')}`);
  return file;
}

/** Runs the program to its end and hands on its events. */
function run(args: readonly string[], onEvent: (event: BatchEvent, child: ChildProcess) => void = () => {}) {
  const child = spawn(process.execPath, [BUILT_COMMAND, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  createInterface({ input: child.stdout! }).on('line', (line) => onEvent(JSON.parse(line), child));
  return new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${code}`)),
    );
  });
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** The same clips by one program each and by one batch. */
export function measureThroughput(clips: number) {
  return inFolder(clips, SHORT_SECONDS, async (folder) => {
    const file = writeManifest(folder, clips, '{}');
    let denoise = 0;
    const batch = await seconds(() =>
      run(['batch', file], (event) => {
        if (event.type !== 'report') return;
        for (const job of event.report.jobs) denoise += job.denoiseSeconds ?? 0;
      }),
    );
    const single = await seconds(async () => {
      for (let i = 0; i < clips; i++) {
        const inputs = [
          '--portrait',
          path.join(folder, `${PORTRAITS[i % 3]}.jpg`),
          '--audio',
          path.join(folder, `${i}.wav`),
        ];
        await run(['animate', ...inputs, '--output', path.join(folder, `single-${i}.mp4`)]);
      }
    });
    return { single, batch, denoise };
  });
}

/** Resident memory of the batch's process, in bytes, after some of its jobs. */
export function measureMemory(clips: number) {
  return inFolder(clips, SHORTEST_SECONDS, async (folder) => {
    const file = writeManifest(folder, clips, '{framing: crop, steps: 1}');
    const samples: { job: number; resident: number; peak: number }[] = [];
    let done = 0;
    await run(['batch', file], (event, { pid }) => {
      if (event.type !== 'job' || event.job.state !== 'done') return;
      done += 1;
      if (done % 10 !== 0 && done !== 5) return;
      const text = readFileSync(`/proc/${pid}/status`, 'utf8');
      const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
      samples.push({ job: done, resident: bytes('VmRSS'), peak: bytes('VmHWM') });
    });
    return samples;
  });
}

/**
 * Seconds of a batch on a queue with so many workers of one thread, from the batch's start to its end.
 *
 * @param pinned - whether each worker has a core of its own, as on a machine of its own; needs Linux's taskset.
 */
export function measureWorkers(clips: number, workers: number, pinned: boolean): Promise<number> {
  return inFolder(clips, SHORT_SECONDS, async (folder) => {
    const port = await freePort();
    const url = `redis://127.0.0.1:${port}/0`;
    mkdirSync(path.join(folder, 'redis'));
    const server = spawn(
      'redis-server',
      ['--port', String(port), '--dir', path.join(folder, 'redis'), '--save', ''],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const children: ChildProcess[] = [];
    try {
      await untilPrinted(server, 'Ready to accept');
      for (let i = 0; i < workers; i++) {
        const words = [process.execPath, BUILT_COMMAND, 'worker', '--queue', url, '--threads', '1', '--json'];
        const [program, ...args] = pinned ? ['taskset', '--cpu-list', String(i), ...words] : words;
        const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
        children.push(child);
        await untilPrinted(child, '"ready"');
      }
      const file = writeManifest(folder, clips, '{}');
      return await seconds(() => run(['batch', file, '--queue', url]));
    } finally {
      const all = [...children, server];
      const ended = all.map((child) => new Promise((resolve) => child.once('close', resolve)));
      for (const child of all) child.kill('SIGTERM');
      await Promise.all(ended);
    }
  });
}

function untilPrinted(child: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk;
      if (text.includes(words)) resolve();
    });
    child.once('exit', () => reject(new Error(`ended before it printed ${words}`)));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
