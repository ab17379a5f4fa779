/** Plans and reports of batches as people read them. */
import path from 'node:path';
import type { BatchReport, JobCounts } from '../jobs/batch-events.ts';
import type { BatchPlan, PlannedJob } from '../jobs/plan-batch.ts';
import { count, formatBytes, formatSeconds } from './format.ts';

/** A line for each job, and the sums. */
export function formatBatchPlan(plan: BatchPlan): string {
  const width = Math.min(60, Math.max(...plan.jobs.map(({ name }) => name.length)));
  const lines = plan.jobs.map((job) => `${job.name.padEnd(width)}  ${describePlanned(job)}\n`);
  const number = (state: PlannedJob['state']) => plan.jobs.filter((job) => job.state === state).length;
  const rows = [
    [
      'jobs',
      `${number('left')} to do, ${number('done')} done already` +
        (number('problem') > 0 ? `, ${number('problem')} with problems` : ''),
    ],
    ['frames', String(plan.frames)],
    ['time', `about ${formatSeconds(plan.estimatedSeconds)} on ${plan.device}`],
    [
      'disk',
      `about ${formatBytes(plan.outputBytes)} for videos, at most ${formatBytes(plan.checkpointBytes)} for checkpoints`,
    ],
  ] as const;
  return `${lines.join('')}\n${rows.map(([label, value]) => `${label.padEnd(10)}${value}\n`).join('')}`;
}

function describePlanned({ state, problem, frames, duration, estimatedSeconds }: PlannedJob): string {
  switch (state) {
    case 'problem':
      return `cannot be done: ${problem}`;
    case 'done':
      return 'done already';
    case 'left':
      return `${formatSeconds(duration ?? 0)}, ${count(frames ?? 0, 'frame')}, takes about ${formatSeconds(estimatedSeconds ?? 0)}`;
  }
}

/** `3 done, 1 failed, 8 waiting`; states without jobs are left out. */
export function formatCounts(counts: JobCounts): string {
  const parts = [
    [counts.done, counts.reused > 0 ? `done (${counts.reused} before this run)` : 'done'],
    [counts.rendering, 'rendering'],
    [counts.preparing + counts.ready, 'preparing'],
    [counts.failed, 'failed'],
    [counts.paused, 'paused: disk full'],
    [counts.waiting, 'waiting'],
    [counts.cancelled, 'not done'],
  ] as const;
  return parts
    .filter(([number]) => number > 0)
    .map(([number, text]) => `${number} ${text}`)
    .join(', ');
}

/** Videos that are there, a line each, and a line about the batch. */
export function formatBatchReport(report: BatchReport): string {
  const done = report.jobs.filter(({ state }) => state === 'done');
  const paths = done.map(({ output }) => `${output}\n`).join('');
  const name = path.basename(report.manifest);
  const summary = `${name}: ${formatCounts(report.counts)}; took ${formatSeconds(report.seconds)}\n`;
  return `${paths}${summary}`;
}
