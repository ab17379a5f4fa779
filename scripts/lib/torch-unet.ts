/** The denoising UNet in eager PyTorch, in a process of its own: torch_unet.py. */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '../../src/tensor/tensor.ts';

const PROGRAM = fileURLToPath(new URL('./torch_unet.py', import.meta.url));

/** Options of {@link TorchUnet.start}. */
export interface TorchUnetOptions {
  /** A Python with torch and numpy. */
  readonly python: string;
  /** Weights under their published names, safetensors. */
  readonly weights: string;
  /** As the conditional graph takes them: latents, timestep, image embedding, pose features, keys and values. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** An empty folder, for inputs and output. */
  readonly folder: string;
  readonly threads: number;
}

/** A process that has weights and inputs in memory. */
export class TorchUnet {
  readonly #ask: (question: string) => Promise<string>;
  readonly #output: string;
  readonly #end: () => void;

  private constructor(ask: (question: string) => Promise<string>, output: string, end: () => void) {
    this.#ask = ask;
    this.#output = output;
    this.#end = end;
  }

  /** Resolves when the weights are read. */
  static async start(options: TorchUnetOptions): Promise<TorchUnet> {
    const { python, weights, inputs, folder, threads } = options;
    const shapes: Record<string, [string, readonly number[]]> = {};
    for (const [i, [name, { data, dims }]] of Object.entries(inputs).entries()) {
      shapes[name] = [`${i}.bin`, dims];
      await writeFile(path.join(folder, `${i}.bin`), data);
    }
    await writeFile(path.join(folder, 'shapes.json'), JSON.stringify(shapes));
    const output = path.join(folder, 'output.bin');
    const child = spawn(python, [PROGRAM, weights, folder, output, `${threads}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => {
      const { value, done } = await Promise.race([lines.next(), failed]);
      if (done) throw new Error('PyTorch ended early');
      return value;
    };
    const ask = (question: string): Promise<string> => {
      child.stdin.write(`${question}\n`);
      return next();
    };
    await next();
    return new TorchUnet(ask, output, () => child.stdin.end());
  }

  /** One evaluation. @returns its seconds. */
  async run(): Promise<number> {
    return Number(await this.#ask('run'));
  }

  /** Best speed of some matrix products of 2048³, in GFLOP/s. */
  async matrixSpeed(): Promise<number> {
    return Number(await this.#ask('sgemm'));
  }

  /** What the last evaluation predicted. */
  async output(): Promise<Float32Array> {
    return new Float32Array(new Uint8Array(await readFile(this.#output)).buffer);
  }

  /** Ends the process. */
  close(): void {
    this.#end();
  }
}
