/**
 * Measures networks on a GPU: providers, equality with the CPU, matrix peak, one window and whole clips at full size, and the
 * embedded bundle's. Needs no Python, no network and no weights: those are made by formula. Every part is written to the folder
 * when it is done, and one that is there is not measured again.
 *
 *   node check.js [--device cuda|webgpu|cpu] [--size full|small|least] [--output FOLDER] [--budget SECONDS]
 *
 * pack.ts brings it, Node.js and the engine to a machine that has neither.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildMatrixProbe, matrixProbeFlops } from '../../../src/models/matrix-probe.ts';
import type { Precision } from '../../../src/onnx/graph.ts';
import { findCudaRequirements } from '../../../src/runtime/cuda-requirements.ts';
import type { DeviceChoice } from '../../../src/runtime/device.ts';
import { Engine, listExecutionProviders } from '../../../src/runtime/engine.ts';
import { noiseInputs, noiseTensor, timeClip } from '../../lib/gpu-clip.ts';
import { type GpuNetwork, type GpuNetworks, type GpuSize, gpuNetworks } from '../../lib/gpu-networks.ts';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    size: { type: 'string', default: 'full' },
    output: { type: 'string', default: 'gpu-check' },
    budget: { type: 'string', default: '480' },
  },
});
const size = values.size as GpuSize;
const folder = path.resolve(values.output);
const cacheFolder = path.join(folder, 'weights');
mkdirSync(folder, { recursive: true });
const started = performance.now();
/** Seconds that are left; parts that measure take a share of them. */
const left = (): number => Number(values.budget) - (performance.now() - started) / 1000;

/** Measures a part unless an earlier run has. */
async function part<T>(name: string, measure: () => Promise<T>): Promise<T | undefined> {
  const file = path.join(folder, `${name}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as T;
  if (left() < 5) {
    console.log(`${name}: no time left; run it again`);
    return undefined;
  }
  const begin = performance.now();
  try {
    const result = await measure();
    writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
    console.log(`${name} (${((performance.now() - begin) / 1000).toFixed(1)} s): ${JSON.stringify(result)}`);
    return result;
  } catch (error) {
    console.log(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** What NVIDIA's tool says, if it is there. */
function nvidia(query: string): string | undefined {
  try {
    return execFileSync('nvidia-smi', [`--query-gpu=${query}`, '--format=csv,noheader'], {
      encoding: 'utf8',
    }).trim();
  } catch {
    return undefined;
  }
}

await part('machine', async () => ({
  processor: os.cpus()[0]?.model.trim(),
  cores: os.availableParallelism(),
  memory: os.totalmem(),
  load: os.loadavg()[0],
  node: process.version,
  gpu: nvidia('name,driver_version,memory.total') ?? null,
  missingForCuda: process.platform === 'linux' ? findCudaRequirements(process.env).missing : [],
}));
await part('providers', () => listExecutionProviders());

const engine = await Engine.open({
  device: values.device as DeviceChoice,
  onNotice: (text) => console.log(text),
});
const cpu = await Engine.open({ device: 'cpu' });
const { precision } = engine;
/** How far a network's outputs on the device are from the CPU's in float32, and the largest of those. */
async function compareWithCpu(networks: GpuNetworks, name: GpuNetwork, form: Precision) {
  const exact = await networks.open(name, cpu, 'float32');
  const inputs = noiseInputs(exact);
  const expected = await exact.run(inputs);
  await exact.dispose();
  const network = await networks.open(name, engine, form);
  const found = await network.run(inputs);
  await network.dispose();
  let [difference, largest] = [0, 0];
  for (const [output, { data }] of Object.entries(expected)) {
    data.forEach((value, i) => {
      difference = Math.max(difference, Math.abs(value - found[output]!.data[i]!));
      largest = Math.max(largest, Math.abs(value));
    });
  }
  return { difference, largest };
}

/** Sides of the matrices whose products show what the device reaches. */
const MATRIX_SIDES: readonly number[] = [1024, 4096];
/** What a run of them should take, so that beginning it does not count, and how many are enough for that on any GPU. */
const [MATRIX_SECONDS, MAX_PRODUCTS] = [0.1, 1000];

/** Operations a second in the fastest run of so many matrix products. */
async function timeProducts(size: number, products: number): Promise<number> {
  const probe = { size, products, precision };
  const network = await engine.load('matrix', buildMatrixProbe(probe).toBytes());
  await network.bind({ x: noiseTensor([size, size], 1) });
  let fastest = Infinity;
  for (let run = 0; run < 4; run++) {
    const begin = performance.now();
    await network.run({});
    if (run > 0) fastest = Math.min(fastest, (performance.now() - begin) / 1000);
  }
  await network.dispose();
  return matrixProbeFlops(probe) / fastest;
}

try {
  const least = gpuNetworks('least', cacheFolder);
  for (const name of ['guider', 'decoder', 'reference', 'conditional', 'unconditional'] as const) {
    for (const form of new Set<Precision>(['float32', precision])) {
      await part(`equality-${name}-${form}`, () => compareWithCpu(least, name, form));
    }
  }

  const peak = await part('matrix', async () => {
    const rows: { size: number; products: number; flops: number }[] = [];
    for (const side of MATRIX_SIDES) {
      const one = await timeProducts(side, 1);
      const seconds = matrixProbeFlops({ size: side, products: 1 }) / one;
      const products = Math.min(MAX_PRODUCTS, Math.max(1, Math.round(MATRIX_SECONDS / seconds)));
      rows.push({ size: side, products, flops: products > 1 ? await timeProducts(side, products) : one });
      // A larger one would take minutes on the CPU or a software driver.
      if (seconds > MATRIX_SECONDS / 10) break;
    }
    return { precision, rows, flops: Math.max(...rows.map(({ flops }) => flops)) };
  });

  const networks = gpuNetworks(size, cacheFolder);
  const clip = (seconds: number, budget: number, how: 'lcm' | 'original') =>
    timeClip({
      networks,
      engine,
      precision,
      seconds,
      budget,
      moving: false,
      sampling:
        how === 'lcm'
          ? { sampler: 'lcm', steps: 4, guidance: 1 }
          : { sampler: 'ddim', steps: 25, guidance: 3.5 },
    });
  await part('window', async () => {
    const found = await clip(0, left() / 4, 'lcm');
    const step = found.denoise / found.evaluations;
    const flops = networks.flops('conditional') / step;
    return {
      frames: found.frames,
      secondsOfStep: step,
      flops,
      share: peak && flops / peak.flops,
      copies: found.copies,
      copiesWithoutKeeping: found.copiesWithoutKeeping,
      steps: found.measured,
      deviceMemory: nvidia('memory.used') ?? null,
    };
  });
  const lcm = await part('clip-lcm', () => clip(2, left() / 3, 'lcm'));
  const original = await part('clip-original', () => clip(2, left() / 2, 'original'));
  if (lcm && original) console.log(`the original takes ${(original.rtf / lcm.rtf).toFixed(1)} times as long`);
  // Its shaders alone take a software driver minutes.
  if (size !== 'least') {
    await part('tiny', () =>
      timeClip({
        networks: gpuNetworks('tiny', cacheFolder),
        engine,
        precision,
        seconds: 2,
        budget: left() / 2,
        moving: true,
        sampling: { sampler: 'lcm', steps: 4, guidance: 1 },
      }),
    );
  }
} finally {
  await engine.dispose();
  await cpu.dispose();
}
