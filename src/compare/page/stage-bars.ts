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
    const parts = TIMED_STAGES.map((stage) => {
      const seconds = times[stage].median;
      const number = seconds / longest >= NUMBER_SHARE ? figures(seconds) : '';
      return `<i class="${stageClass(stage)}" style="width:${((100 * seconds) / longest).toFixed(2)}%" title="${stage}: ${figures(seconds)} s">${number}</i>`;
    });
    return (
      `<div class="bar-name"><strong>${escapeHtml(id)}</strong> <span class="faint">${escapeHtml(title.replace(', as published', ''))}</span></div>` +
      `<div class="bar-line"><div class="bar">${parts.join('')}</div><span>${figures(times.total.median)} s</span></div>`
    );
  });
  return (
    `<div class="bars" role="img" aria-label="Seconds by stage for each variant">${rows.join('')}</div>` +
    `<p class="legend">${TIMED_STAGES.map((stage) => `<span><i class="${stageClass(stage)}"></i>${stage}</span>`).join('')}</p>`
  );
}
