/** What of a driven motion is found in the picture, as tables. */
import { mean } from '../../src/metrics/series.ts';
import type { Followed, FollowedSeries } from './follow-motion.ts';
import { formatNumber, markdownTable } from './markdown-table.ts';

/** Slope of the line through what was found over what was driven; 1 shows all of it. */
export function slope({ driven, found }: Pick<FollowedSeries, 'driven' | 'found'>): number {
  const seen = driven.flatMap((value, i) =>
    Number.isFinite(found[i]!) ? [[value, found[i]!] as const] : [],
  );
  const [meanX, meanY] = [mean(seen.map(([x]) => x)), mean(seen.map(([, y]) => y))];
  let [xy, xx] = [0, 0];
  for (const [x, y] of seen) {
    xy += (x - meanX) * (y - meanY);
    xx += (x - meanX) ** 2;
  }
  return xy / xx;
}

/** A row for each subject and view, a mean for each view; in columns the slopes. */
export function followTable(rows: readonly Followed[]): string {
  const tables: string[] = [];
  for (const group of [
    rows.filter(({ pictured }) => pictured.startsWith('film')),
    rows.filter(({ pictured }) => !pictured.startsWith('film')),
  ]) {
    if (group.length === 0) continue;
    const names = group[0]!.series.map(({ name }) => name);
    const lines = group.map(({ subject, pictured, series }) => [
      subject,
      pictured,
      ...series.map((one) => formatNumber(slope(one), 2)),
    ]);
    const means = [...new Set(group.map(({ pictured }) => pictured))].map((view) => [
      '**mean**',
      view,
      ...names.map((_, i) =>
        formatNumber(
          mean(group.filter(({ pictured }) => pictured === view).map(({ series }) => slope(series[i]!))),
          2,
        ),
      ),
    ]);
    tables.push(markdownTable(['Found / driven', 'picture', ...names], [...means, ...lines]));
  }
  return `${tables.join('\n\n')}\n`;
}

/** Driven openings in mm that {@link openingTable} shows; a frame counts for the nearest, if it is this near. */
const OPENINGS = [0, 2, 5, 8, 12, 16, 20] as const;
const NEAR = 1;

/** What was found of the mouth, by how far it was driven open: a row for each view, mean over all frames. */
export function openingTable(rows: readonly Followed[]): string {
  const lines = [...new Set(rows.map(({ pictured }) => pictured))].map((view) => {
    const bins = OPENINGS.map((): number[] => []);
    for (const { pictured, series } of rows) {
      if (pictured !== view) continue;
      for (const { measure, driven, found } of series) {
        if (measure !== 'opening') continue;
        driven.forEach((opening, frame) => {
          const bin = OPENINGS.findIndex((middle) => Math.abs(opening - middle) <= NEAR);
          if (bin >= 0 && Number.isFinite(found[frame]!)) bins[bin]!.push(found[frame]!);
        });
      }
    }
    return [view, ...bins.map((found) => (found.length === 0 ? '–' : formatNumber(mean(found), 1)))];
  });
  return `${markdownTable(['Driven opening, mm', ...OPENINGS.map(String)], lines)}\n`;
}
