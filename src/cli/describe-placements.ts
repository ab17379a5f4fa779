/** Where the nodes of a network run, in words. */
import type { NodePlacement } from '../compare/operator-profile.ts';

/** Operators that are named of those that run in another place than most. */
const MAX_NAMED = 4;

/** The provider that runs most nodes, and the nodes of others. */
interface PlacementSplit {
  readonly main: string;
  readonly mainNodes: number;
  readonly strays: readonly NodePlacement[];
}

/** @param wanted - the device that was asked for; what runs elsewhere has strayed. @defaultValue where most nodes are */
export function splitPlacements(placements: readonly NodePlacement[], wanted?: string): PlacementSplit {
  const counts = new Map<string, number>();
  for (const { provider, nodes } of placements) counts.set(provider, (counts.get(provider) ?? 0) + nodes);
  const main = wanted ?? [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'cpu';
  return {
    main,
    mainNodes: counts.get(main) ?? 0,
    strays: placements.filter(({ provider }) => provider !== main),
  };
}

/** `412 nodes on webgpu, 3 on cpu (Reshape 2, Cast 1)`. */
export function describePlacements(placements: readonly NodePlacement[], wanted?: string): string {
  const { main, mainNodes, strays } = splitPlacements(placements, wanted);
  const parts = [`${mainNodes} nodes on ${main}`];
  for (const provider of new Set(strays.map((stray) => stray.provider))) {
    const there = strays.filter((stray) => stray.provider === provider);
    const count = there.reduce((sum, { nodes }) => sum + nodes, 0);
    const named = there.slice(0, MAX_NAMED).map(({ operator, nodes }) => `${operator} ${nodes}`);
    if (there.length > MAX_NAMED) named.push('…');
    parts.push(`${count} on ${provider} (${named.join(', ')})`);
  }
  return parts.join(', ');
}
