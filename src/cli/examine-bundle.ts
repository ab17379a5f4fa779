/** Looks at one bundle for `doctor --bundle`: where its networks run, and what a clip would take. */
import { bundleStoreFolder } from '../bundles/bundle-store.ts';
import { canStray, type NetworkPlacement, placeNodes } from '../compare/node-placement.ts';
import { userHome } from '../files/user-home.ts';
import { openBundle } from '../models/bundle.ts';
import { type BundleEstimate, estimateBundle } from '../pipeline/estimate-bundle.ts';
import { availableMemory } from '../runtime/available-memory.ts';
import { type DeviceChoice, Engine } from '../runtime/engine.ts';
import { describePlacements, splitPlacements } from './describe-placements.ts';
import type { Finding } from './doctor-report.ts';
import { formatBytes, formatSeconds } from './format.ts';

/** What is looked at. */
export interface ExaminedBundle {
  /** A name, or a folder. */
  readonly bundle: string;
  readonly device: DeviceChoice;
}

/**
 * @throws {@link ModelError} if the bundle is not there or damaged.
 * @throws {@link EnvironmentError} if the device does not work here.
 */
export async function examineBundleUse(
  { bundle: name, device }: ExaminedBundle,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  const store = bundleStoreFolder({ env, platform: process.platform, home: userHome() });
  const bundle = await openBundle(name, store);
  const engine = await Engine.open({ device });
  try {
    const placed = canStray(bundle, engine.device)
      ? (await placeNodes(bundle, engine)).map((found) => describeNetwork(found, engine.device))
      : [
          {
            topic: 'networks',
            verdict: 'ok',
            found: 'on cpu, where large ones take turns in memory',
          } as const,
        ];
    return [...placed, ...describeEstimate(await estimateBundle(bundle, engine), availableMemory())];
  } finally {
    await engine.dispose();
  }
}

/** @param device - what the network was opened for. */
export function describeNetwork({ network, placements }: NetworkPlacement, device: string): Finding {
  const { strays } = splitPlacements(placements, device);
  const nodes = strays.reduce((sum, stray) => sum + stray.nodes, 0);
  return {
    topic: `network ${network}`,
    verdict: nodes === 0 ? 'ok' : 'note',
    found: describePlacements(placements, device),
    ...(nodes > 0 && {
      advice: `each of them copies tensors between ${device} and memory; shapes and counters there are harmless`,
    }),
    details: { placements },
  };
}

/** @param available - bytes of memory. */
export function describeEstimate(estimate: BundleEstimate, available: number): Finding[] {
  const { preset, frames, fps, seconds, memoryBytes, busy } = estimate;
  const fits = memoryBytes <= available;
  return [
    {
      topic: 'memory of a clip',
      verdict: fits ? 'ok' : 'note',
      found: `about ${formatBytes(memoryBytes)}, ${formatBytes(available)} available`,
      ...(!fits && { advice: 'close other programs, or take --low-memory or a smaller --resolution' }),
      details: { memoryBytes, available },
    },
    {
      topic: 'time of a clip',
      verdict: busy === undefined ? 'ok' : 'note',
      found: `about ${formatSeconds(seconds)} for ${frames} frames at ${fps} fps, preset ${preset}`,
      ...(busy !== undefined && { advice: busy }),
      details: { ...estimate },
    },
  ];
}
