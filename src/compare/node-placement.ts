/** Where the nodes of a bundle's networks run: what a device has no kernel for runs on the CPU, without a word. */
import type { Bundle } from '../models/bundle.ts';
import { type NetworkName, uploadsOf } from '../networks/bundle-graphs.ts';
import { takesTurns } from '../networks/take-turns.ts';
import { defaultCacheFolder } from '../pipeline/machine-places.ts';
import type { Device, Engine } from '../runtime/engine.ts';
import { randomInputs } from './bench.ts';
import type { NodePlacement } from './operator-profile.ts';
import { openGraphThread } from './published-graphs.ts';
import { RunProfiler } from './run-profiler.ts';

/** One network. */
export interface NetworkPlacement {
  readonly network: NetworkName;
  readonly placements: readonly NodePlacement[];
}

/** What a clip of the fast preset needs. */
function networksOf({ description: { imageEncoder } }: Bundle): NetworkName[] {
  return [
    ...(imageEncoder === null ? [] : (['image-encoder'] as const)),
    'portrait-encoder',
    'reference-unet',
    'pose-guider',
    'denoising-unet',
    'decoder',
  ];
}

/** Whether {@link placeNodes} has an answer that is worth its time: large networks on the CPU have nowhere else to run. */
export function canStray(bundle: Bundle, device: Device): boolean {
  return !takesTurns(bundle, device);
}

/**
 * Opens each network and runs it once, on noise.
 *
 * @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph.
 */
export async function placeNodes(bundle: Bundle, like: Engine): Promise<NetworkPlacement[]> {
  const graphs = openGraphThread(defaultCacheFolder());
  const profiler = await RunProfiler.open({ device: like.device });
  try {
    const found: NetworkPlacement[] = [];
    for (const network of networksOf(bundle)) {
      const graph = await graphs.build(bundle, network, {
        windowFrames: bundle.description.contextFrames,
        decodeFrames: 1,
        loras: [],
        device: like.device,
        precision: like.precision,
        uploads: uploadsOf(bundle.description, like.device, like.precision),
      });
      const { placements } = await profiler.profile(network, graph, randomInputs);
      found.push({ network, placements });
    }
    return found;
  } finally {
    await profiler.dispose();
    await graphs.dispose();
  }
}
