/** The roofline of a benchmark as text for the terminal. */
import type { BenchReport } from '../compare/bench-options.ts';
import { figures, percent } from '../compare/number-format.ts';
import { describePlacements } from './describe-placements.ts';
import { formatTable } from './format-table.ts';

/** A table and the memory's limit; nothing where the roofline was not asked for. */
export function formatRoofline({ rows, limits }: BenchReport): string {
  const placed = rows.flatMap((row) =>
    row.roofline === undefined ? [] : [{ ...row, roofline: row.roofline }],
  );
  if (placed.length === 0) return '';
  const table = formatTable(
    ['network', 'frames', 'GFLOP', 'MB', 'FLOP/byte', 'GFLOP/s', 'of limit', 'GB/s', 'of memory', 'bound by'],
    placed.map(({ network, frames, flops, achieved, limitShare, roofline }) => [
      network,
      frames === null ? '–' : String(frames),
      figures(flops / 1e9),
      figures(roofline.bytes / 1e6),
      figures(roofline.intensity),
      figures(achieved / 1e9),
      percent(limitShare),
      figures(roofline.bandwidth / 1e9),
      percent(roofline.bandwidthShare),
      roofline.bound,
    ]),
  );
  const memory = limits.flatMap(({ device, memory: limit }) =>
    limit === undefined ? [] : [`${figures(limit / 1e9)} GB/s on ${device}`],
  );
  const nodes = placed
    .map(({ network, placements = [] }) => `${network}: ${describePlacements(placements)}\n`)
    .join('');
  return `${table}\n${nodes}limit of memory: ${memory.join('; ')}; above 100 % of it, caches hold what operators hand on\n`;
}
