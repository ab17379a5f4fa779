/** The bandwidth between the engine and memory that no cache holds. */
import { buildMemoryProbe, memoryProbeBytes } from '../models/memory-probe.ts';
import type { Engine } from '../runtime/engine.ts';
import { fastestRun } from './matrix-limit.ts';

/** 64 MB a tensor: the caches of most machines hold none of them. */
const PROBE = { elements: 16 * 2 ** 20, sums: 4 };

/**
 * Bytes a second of the fastest of some runs that add large tensors.
 *
 * @throws {@link ModelError} if the engine fails.
 */
export async function measureMemoryLimit(engine: Engine, signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted();
  const network = await engine.load('memory-probe', buildMemoryProbe(PROBE).toBytes());
  try {
    const x = { data: new Float32Array(PROBE.elements).fill(1), dims: [PROBE.elements] };
    await network.bind({ x }, { transfer: true });
    return memoryProbeBytes(PROBE) / (await fastestRun(network));
  } finally {
    await network.dispose();
  }
}
