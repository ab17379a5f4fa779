/** The report of a batch as one HTML file that needs nothing else. A pure function of the report. */
import path from 'node:path';
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
:root { color-scheme: light dark; --bg: #fbfaf8; --fg: #22201d; --soft: #6f6a63; --line: #e4e0d9; --card: #fff;
  --done: #2f7d4f; --failed: #b3362b; --paused: #a86a10; --other: #6f6a63; }
@media (prefers-color-scheme: dark) { :root { --bg: #1a1917; --fg: #ece8e1; --soft: #a19a90; --line: #35322d;
  --card: #232120; --done: #6cc08c; --failed: #f0897e; --paused: #e3b05c; --other: #a19a90; } }
* { box-sizing: border-box }
body { margin: 0; padding: 2.5rem clamp(1rem, 4vw, 4rem); background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 }
p { margin: .25rem 0 }
.soft { color: var(--soft) }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--line); margin: 1.25rem 0 .5rem }
.bar i { display: block; min-width: 3px }
.counts span { display: inline-block; margin-right: 1rem }
.done { color: var(--done) } .failed { color: var(--failed) } .paused { color: var(--paused) } .other { color: var(--other) }
.bar .done { background: var(--done) } .bar .failed { background: var(--failed) }
.bar .paused { background: var(--paused) } .bar .other { background: var(--other) }
table { width: 100%; border-collapse: collapse; margin-top: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px }
th { text-align: left; font-weight: 600; font-size: .8rem; color: var(--soft) }
th, td { padding: .6rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child td { border-bottom: 0 }
td.picture { width: 88px }
td.picture img { display: block; width: 72px; height: 72px; object-fit: cover; border-radius: 6px }
td.picture div { width: 72px; height: 72px; border-radius: 6px; background: var(--line) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td { overflow-wrap: anywhere }
.name { font-weight: 600 }
.files, .error { font-size: .85rem }
.error { color: var(--failed); max-width: 60rem }
.error.paused { color: var(--paused) }
a { color: inherit }
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
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
<h1>${escapeHtml(title)}</h1>
<p class="soft">${escapeHtml(`${describeState(report)} Begun ${report.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}, took ${formatDuration(report.seconds)}.`)}</p>
<div class="bar">${shown.map(([name, number]) => `<i class="${name}" style="flex:${number}"></i>`).join('')}</div>
<p class="counts">${shown.map(([name, number, text]) => `<span class="${name}">${number} ${text}</span>`).join(' ')}</p>
<table>
<tr><th></th><th>Job</th><th>State</th><th class="number">Video</th><th class="number">Time</th></tr>
${report.jobs.map((job) => renderJob(job, thumbnails.get(job.index), folder)).join('\n')}
</table>
</html>
`;
}

function renderJob(job: JobReport, thumbnail: Uint8Array | undefined, folder: string): string {
  const kind = ['done', 'failed', 'paused'].includes(job.state) ? job.state : 'other';
  const picture = thumbnail
    ? `<img alt="" src="data:image/jpeg;base64,${Buffer.from(thumbnail).toString('base64')}">`
    : '<div></div>';
  const target = path.relative(folder, job.output).split(path.sep).map(encodeURIComponent).join('/');
  const name = escapeHtml(job.name);
  const files = `${path.basename(job.portrait)} + ${path.basename(job.audio)} → ${path.basename(job.output)}`;
  const video =
    job.duration === undefined
      ? ''
      : `${job.duration.toFixed(1)} s<br> <span class="soft">${job.width}×${job.height}, ${job.frames} frames</span>`;
  const notes = [
    ...(job.reused ? ['was there already'] : job.attempts > 0 ? [formatDuration(job.seconds)] : []),
    ...(job.attempts > 1 ? [`${job.attempts} attempts`] : []),
    ...(job.resumedFrames > 0 ? [`${job.resumedFrames} frames from checkpoints`] : []),
    ...(job.worker === undefined ? [] : [job.worker]),
  ];
  const failures = job.failures.map(
    ({ attempt, message, code }) =>
      `<p class="error${kind === 'paused' ? ' paused' : ''}">Attempt ${attempt}: ${escapeHtml(message)} <span class="soft">${escapeHtml(code)}</span></p>`,
  );
  return (
    `<tr><td class="picture">${picture}</td>` +
    `<td class="job"><div class="name">${job.state === 'done' ? `<a href="${escapeHtml(target)}">${name}</a>` : name}</div>` +
    `<div class="files soft">${escapeHtml(files)}</div>${failures.join('')}</td>` +
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
        return `The batch ended with its first failure, as it was told to, before it came to ${counts.cancelled} of ${counts.total} jobs: run it again for what is left.`;
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

/** Text as HTML shows it, also within quotes. */
function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
