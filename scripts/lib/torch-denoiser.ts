/** torch_denoiser.py in a process of its own, which answers one line after another. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DenoiserJob } from './denoiser-job.ts';

/** Forms of the denoiser that it knows. */
export const TORCH_FORMS = ['plain', 'channels_last', 'projected', 'projected_cl'] as const;
/** One of {@link TORCH_FORMS}. */
export type TorchForm = (typeof TORCH_FORMS)[number];

/** What times are measured by. */
export type Clock = 'wall' | 'processor';

/** The process. */
export interface TorchDenoiser {
  readonly version: string;
  /** Denoises the job's window; returns seconds. */
  run(form: TorchForm): Promise<number>;
  /** Latents of the last run. */
  output(form: TorchForm): Promise<Float32Array>;
  /** Operations of one evaluation, as PyTorch counts them. */
  flops(): Promise<number>;
  /** Ends the process. */
  close(): Promise<void>;
}

/** Options of {@link startTorchDenoiser}. */
export interface TorchDenoiserOptions {
  readonly python: string;
  /** For arrays on their way; the caller's to remove. */
  readonly folder: string;
  readonly threads: number;
  /** What is counted: `processor` that of all threads, on a machine that is not quiet. */
  readonly clock: Clock;
  readonly job: DenoiserJob;
}

const SCRIPT = fileURLToPath(new URL('./torch_denoiser.py', import.meta.url));

/** Starts Python and waits until the networks are loaded. */
export async function startTorchDenoiser(options: TorchDenoiserOptions): Promise<TorchDenoiser> {
  const { python, folder, threads, clock, job } = options;
  const arrays: Record<string, { file: string; dims: readonly number[] }> = {};
  for (const [i, [name, { data, dims }]] of Object.entries(job.arrays).entries()) {
    arrays[name] = { file: `${i}.raw`, dims };
    await writeFile(
      path.join(folder, `${i}.raw`),
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
  }
  const { weights, loras, config, schedule, sites, timesteps } = job;
  const description = { arrays, weights, loras, config, schedule, sites, timesteps };
  await writeFile(path.join(folder, 'job.json'), JSON.stringify(description));

  const child = spawn(python, [SCRIPT, folder, String(threads), clock], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`Cannot measure: expected an answer of ${python}, got its end`);
    return value;
  };
  const ask = async (question: string): Promise<number> => {
    child.stdin.write(`${question}\n`);
    return Number(await next());
  };
  return {
    version: await next(),
    run: (form) => ask(`run ${form}`),
    output: async (form) => new Float32Array((await readFile(path.join(folder, `${form}.bin`))).buffer),
    flops: () => ask('flops'),
    close: () => {
      child.stdin.end();
      return ended;
    },
  };
}
