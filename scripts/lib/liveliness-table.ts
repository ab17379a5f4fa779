/** How lively faces are, in Markdown. */
import { type Liveliness, livelinessOf } from './face-liveliness.ts';
import { formatNumber, markdownTable } from './markdown-table.ts';
import type { FaceState } from './talk-measures.ts';

function row(label: string, { spread, speed, bands, lids, ...face }: Liveliness): string[] {
  const list = (numbers: readonly number[], digits: number, between = ', '): string =>
    numbers.map((number) => formatNumber(number, digits)).join(between);
  return [
    label,
    formatNumber(face.seconds, 0),
    formatNumber(spread.opening, 1),
    list(face.openings, 1),
    formatNumber(spread.width, 1),
    formatNumber(spread.brows, 1),
    list([spread.pitch, spread.yaw, spread.roll], 1),
    list(speed, 1),
    list(bands, 2, ' '),
    formatNumber(face.blinksPerMinute, 0),
    list(lids, 2),
  ];
}

/**
 * A row for each name. Openings, widths and brows deviate in mm, heads in degrees.
 *
 * @param clips - frames of each clip, by the name of their row.
 * @param options.total - whether a last row has all of several clips.
 */
export function livelinessTable(
  clips: ReadonlyMap<string, readonly (readonly FaceState[])[]>,
  fps: number,
  { total }: { readonly total: boolean },
): string {
  const head = ['', 's', 'opening', '5, 50, 95 %', 'width', 'brows', 'head (°)', 'head (°/s)'];
  const rows = [...clips].map(([label, states]) => row(label, livelinessOf(states, fps)));
  if (total && rows.length > 1) rows.push(row('all', livelinessOf([...clips.values()].flat(), fps)));
  return markdownTable(
    [...head, 'pitch under 1, to 3, above 3 Hz', 'blinks', 'eyes, median and least'],
    rows,
  );
}
