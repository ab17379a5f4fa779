/** What the engine reaches at best on this machine: the limit that networks are measured against. */
import { buildMatrixProbe, matrixProbeFlops } from '../models/matrix-probe.ts';
import type { Precision } from '../onnx/graph.ts';
import type { Engine, Network } from '../runtime/engine.ts';
import { RandomStream } from '../tensor/random.ts';
import { secondsSince } from './clock.ts';

/** Sides of the matrices: from what fits a core's cache to what does not. */
const SIZES: readonly number[] = [256, 512, 1024];
/** Work of one run, so that the call itself does not count. */
const RUN_FLOPS = 2e9;
const MIN_RUNS = 3;
const MAX_SECONDS = 0.5;

/** Speed of matrix products. */
export interface MatrixLimit {
  /** FLOP/s of the fastest run of the fastest size. */
  readonly flops: number;
  readonly sizes: readonly { readonly size: number; readonly flops: number }[];
}

/** Seconds of the fastest of some runs of a network whose inputs are bound, after one that is not counted. */
export async function fastestRun(network: Network): Promise<number> {
  await network.run({});
  const begin = performance.now();
  let fastest = Infinity;
  for (let runs = 0; runs < MIN_RUNS || secondsSince(begin) < MAX_SECONDS; runs++) {
    const start = performance.now();
    await network.run({});
    fastest = Math.min(fastest, secondsSince(start));
  }
  return fastest;
}

/**
 * Runs products of square matrices for a second or two.
 *
 * @param precision - what they are computed in.
 * @throws {@link ModelError} if the engine fails.
 */
export async function measureMatrixLimit(
  engine: Engine,
  precision: Precision,
  signal?: AbortSignal,
): Promise<MatrixLimit> {
  const sizes: { size: number; flops: number }[] = [];
  for (const size of SIZES) {
    signal?.throwIfAborted();
    const probe = { size, products: Math.max(1, Math.round(RUN_FLOPS / (2 * size ** 3))), precision };
    const network = await engine.load('matrix-probe', buildMatrixProbe(probe).toBytes());
    try {
      const data = new RandomStream([size, 1]).fillNormal(new Float32Array(size * size));
      await network.bind({ x: { data, dims: [size, size] } });
      sizes.push({ size, flops: matrixProbeFlops(probe) / (await fastestRun(network)) });
    } finally {
      await network.dispose();
    }
  }
  return { flops: Math.max(...sizes.map(({ flops }) => flops)), sizes };
}
