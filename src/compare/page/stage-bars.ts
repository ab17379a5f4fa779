/** Bars of time by stage, as SVG. */

import { escapeHtml } from '../../html/markup.ts';
import { figures } from '../number-format.ts';
import { TIMED_STAGES, type TimedStage, type VariantReport } from '../report.ts';

const WIDTH = 760;
const NUMBER = 70;
/** Height of the line above each bar: names are of any length, and have its whole width. */
const LABEL = 20;
const BAR = 22;
const ROW = 56;
/** Pixels below which a part has no room for its number. */
const NUMBER_ROOM = 34;

/** Class of a stage's colour. */
function stageClass(stage: TimedStage): string {
  return `stage-${stage}`;
}

/** One bar for each variant, its parts the stages; the longest fills the width. */
export function stageBars(variants: readonly VariantReport[]): string {
  const longest = Math.max(...variants.map(({ times }) => times.total.median));
  const scale = (WIDTH - NUMBER) / longest;
  const rows = variants.map(({ id, title, times }, i) => {
    const y = i * ROW + LABEL;
    let x = 0;
    const parts = TIMED_STAGES.map((stage) => {
      const seconds = times[stage].median;
      const width = seconds * scale;
      const label =
        width >= NUMBER_ROOM
          ? `<text x="${(x + width / 2).toFixed(1)}" y="${y + BAR / 2 + 4}" class="in-bar" text-anchor="middle">${figures(seconds)}</text>`
          : '';
      const part =
        `<rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${BAR}" class="${stageClass(stage)}">` +
        `<title>${stage}: ${figures(seconds)} s</title></rect>${label}`;
      x += width;
      return part;
    });
    return (
      `<text x="0" y="${y - 6}"><tspan class="strong">${escapeHtml(id)}</tspan>` +
      `<tspan dx="8" class="faint">${escapeHtml(title.replace(', as published', ''))}</tspan></text>` +
      `${parts.join('')}<text x="${(x + 6).toFixed(1)}" y="${y + BAR / 2 + 4}">${figures(times.total.median)} s</text>`
    );
  });
  const height = variants.length * ROW;
  return (
    `<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Seconds by stage for each variant">${rows.join('')}</svg></div>` +
    `<p class="legend">${TIMED_STAGES.map((stage) => `<span><i class="${stageClass(stage)}"></i>${stage}</span>`).join('')}</p>`
  );
}
