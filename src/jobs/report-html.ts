/** The report of a batch as one HTML file that needs nothing else. A pure function of the report. */
import path from 'node:path';
import { dataUrl, escapeHtml } from '../html/markup.ts';
import { renderPage } from '../html/page.ts';
import type { BatchReport, JobReport, JobState } from './batch-events.ts';

const STATE_NAMES: Record<JobState, string> = {
  waiting: 'waiting',
  preparing: 'preparing',
  ready: 'ready',
  rendering: 'rendering',
  done: 'done',
  failed: 'failed',
  paused: 'paused: disk full',
  cancelled: 'not done',
};

const STYLE = `
main { max-width: none; padding: 2.5rem clamp(1rem, 4vw, 4rem) }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--line); margin: 1.25rem 0 .5rem }
.bar i { display: block; min-width: 3px }
.counts span { display: inline-block; margin-right: 1rem }
.done { color: var(--good) } .failed { color: var(--bad) } .paused { color: var(--warning) } .other { color: var(--faint) }
.bar .done { background: var(--good) } .bar .failed { background: var(--bad) }
.bar .paused { background: var(--warning) } .bar .other { background: var(--faint) }
table { margin-top: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px }
th { text-align: left; font-weight: 600; font-size: .8rem; color: var(--faint) }
th, td { padding: .6rem .8rem; vertical-align: top }
tr:last-child td { border-bottom: 0 }
td.picture { width: 88px }
td.picture img { display: block; width: 72px; height: 72px; object-fit: cover; border-radius: 6px }
td.picture div { width: 72px; height: 72px; border-radius: 6px; background: var(--line) }
td.number, th.number { text-align: right; white-space: nowrap }
td { overflow-wrap: anywhere }
.name { font-weight: 600 } .name a { color: inherit }
.files, .error { font-size: .85rem } td p { margin: .25rem 0 }
.error { color: var(--bad); max-width: 60rem }
.error.paused { color: var(--warning) }
td.state { white-space: nowrap } td.job { width: 60% }
@media (max-width: 640px) {
  tr { display: grid; grid-template-columns: 88px 1fr; border-bottom: 1px solid var(--line) }
  tr:first-child { display: none }
  td { border: 0; padding: .3rem .6rem; grid-column: 2 } td.job { width: auto }
  td.picture { grid-column: 1; grid-row: 1 / span 4 } td.number { text-align: left; white-space: normal }
  td.number br { display: none } td:empty { display: none }
}
`;

/**
 * The page.
 *
 * @param thumbnails - JPEG files by the index of the job.
 * @param folder - where the page will lie: videos are linked from there.
 */
export function renderReportHtml(
  report: BatchReport,
  thumbnails: ReadonlyMap<number, Uint8Array>,
  folder: string,
): string {
  const { counts } = report;
  const title = `${path.basename(report.manifest)}: ${counts.done} of ${counts.total} done`;
  const parts = [
    ['done', counts.done, counts.reused > 0 ? `done (${counts.reused} before this run)` : 'done'],
    ['failed', counts.failed, 'failed'],
    ['paused', counts.paused, 'paused: disk full'],
    ['other', counts.total - counts.done - counts.failed - counts.paused, 'not done'],
  ] as const;
  const shown = parts.filter(([, number]) => number > 0);
  const summary = `${describeState(report)} Begun ${report.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}, took ${formatDuration(report.seconds)}.`;
  return renderPage({
    title,
    style: STYLE,
    body: `<h1>${escapeHtml(title)}</h1>
<p class="faint">${escapeHtml(summary)}</p>
<div class="bar">${shown.map(([name, number]) => `<i class="${name}" style="flex:${number}"></i>`).join('')}</div>
<p class="counts">${shown.map(([name, number, text]) => `<span class="${name}">${number} ${text}</span>`).join(' ')}</p>
<table>
<tr><th></th><th>Job</th><th>State</th><th class="number">Video</th><th class="number">Time</th></tr>
${report.jobs.map((job) => renderJob(job, thumbnails.get(job.index), folder)).join('\n')}
</table>`,
  });
}

function renderJob(job: JobReport, thumbnail: Uint8Array | undefined, folder: string): string {
  const kind = ['done', 'failed', 'paused'].includes(job.state) ? job.state : 'other';
  const picture = thumbnail ? `<img alt="" src="${dataUrl('image/jpeg', thumbnail)}">` : '<div></div>';
  const target = path.relative(folder, job.output).split(path.sep).map(encodeURIComponent).join('/');
  const name = escapeHtml(job.name);
  const files = `${path.basename(job.portrait)} + ${path.basename(job.audio)} → ${path.basename(job.output)}`;
  const video =
    job.duration === undefined
      ? ''
      : `${job.duration.toFixed(1)} s<br> <span class="faint">${job.width}×${job.height}, ${job.frames} frames</span>`;
  const notes = [
    ...(job.reused ? ['was there already'] : job.attempts > 0 ? [formatDuration(job.seconds)] : []),
    ...(job.waitSeconds >= 1 ? [`${formatDuration(job.waitSeconds)} waiting`] : []),
    ...(job.attempts > 1 ? [`${job.attempts} attempts`] : []),
    ...(job.resumedFrames > 0 ? [`${job.resumedFrames} frames from checkpoints`] : []),
    ...(job.worker === undefined ? [] : [job.worker]),
  ];
  const failures = job.failures.map(
    ({ attempt, message, code }) =>
      `<p class="error${kind === 'paused' ? ' paused' : ''}">Attempt ${attempt}: ${escapeHtml(message)} <span class="faint">${escapeHtml(code)}</span></p>`,
  );
  return (
    `<tr><td class="picture">${picture}</td>` +
    `<td class="job"><div class="name">${job.state === 'done' ? `<a href="${escapeHtml(target)}">${name}</a>` : name}</div>` +
    `<div class="files faint">${escapeHtml(files)}</div>${failures.join('')}</td>` +
    `<td class="state ${kind}">${STATE_NAMES[job.state]}</td>` +
    `<td class="number">${video}</td>` +
    `<td class="number">${notes.map(escapeHtml).join(',<br> ')}</td></tr>`
  );
}

function describeState({ state, counts }: BatchReport): string {
  switch (state) {
    case 'running':
      return 'The batch is running, or was ended from outside: run it again for what is left.';
    case 'complete':
      return 'All videos are there.';
    case 'partial':
      // Without the end at the first failure, nothing is left undone that did not fail.
      if (counts.cancelled > 0) {
        return `The batch ended with its first failure, as it was asked to, before ${counts.cancelled} of ${counts.total} jobs were done; what was being rendered has kept its checkpoints: run it again, and it resumes.`;
      }
      return `${counts.total - counts.done} of ${counts.total} videos are missing: the table says why.`;
    case 'stopped':
      return 'The batch was stopped: run it again for what is left.';
  }
}

/** @example formatDuration(3725); // '1 h 02 min' */
function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}
