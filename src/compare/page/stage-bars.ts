/** Bars of time by stage; they are as wide as the page is. */

import { escapeHtml } from '../../html/markup.ts';
import { figures } from '../number-format.ts';
import { TIMED_STAGES, type TimedStage, type VariantReport } from '../report.ts';

/** Share of the longest bar below which a part has no room for its number on a phone. */
const NUMBER_SHARE = 0.14;

/** Class of a stage's colour. */
function stageClass(stage: TimedStage): string {
  return `stage-${stage}`;
}

/** One bar for each variant, its parts the stages; the longest fills the width. */
export function stageBars(variants: readonly VariantReport[]): string {
  const longest = Math.max(...variants.map(({ times }) => times.total.median));
  const rows = variants.map(({ id, title, times }) => {
    // Attributes, not styles: a server's policy may forbid the latter.
    const percent = (part: number): string => `${((100 * part) / longest).toFixed(2)}%`;
    let begin = 0;
    const parts = TIMED_STAGES.map((stage) => {
      const seconds = times[stage].median;
      const left = begin;
      begin += seconds;
      const number =
        seconds / longest >= NUMBER_SHARE
          ? `<text x="${percent(left + seconds / 2)}" y="50%">${figures(seconds)}</text>`
          : '';
      return (
        `<g><title>${stage}: ${figures(seconds)} s</title>` +
        `<rect class="${stageClass(stage)}" x="${percent(left)}" width="${percent(seconds)}" height="100%"/>${number}</g>`
      );
    });
    return (
      `<div class="bar-name"><strong>${escapeHtml(id)}</strong> <span class="faint">${escapeHtml(title.replace(', as published', ''))}</span></div>` +
      `<div class="bar-line"><svg class="bar" aria-hidden="true">${parts.join('')}</svg><span>${figures(times.total.median)} s</span></div>`
    );
  });
  return (
    `<div class="bars" role="img" aria-label="Seconds by stage for each variant">${rows.join('')}</div>` +
    `<p class="legend">${TIMED_STAGES.map((stage) => `<span><i class="${stageClass(stage)}"></i>${stage}</span>`).join('')}</p>`
  );
}
