/** Progress of a batch: a few lines that are redrawn on a terminal, a line for each job elsewhere. */
import type { BatchEvent, JobCounts, JobProgress, JobReport } from '../jobs/batch-events.ts';
import { countJobs } from '../jobs/batch-events.ts';
import { formatCounts } from './batch-format.ts';
import { formatSeconds } from './format.ts';
import { type DisplayOptions, drawBar, LiveLines, type ProgressStream } from './live-lines.ts';

/** Shows events; `close` takes away what would be in the way of later output, and may be called twice. */
interface BatchDisplay {
  update(event: BatchEvent): void;
  close(): void;
}

/** Jobs in hand that are shown; more would scroll a terminal away. */
const MAX_LINES = 8;
const MAX_NAME = 32;
const BAR_WIDTH = 24;

/** The display for a stream: none when `quiet`, an overview on a terminal that can redraw, lines otherwise. */
export function createBatchDisplay(stream: ProgressStream, options: DisplayOptions = {}): BatchDisplay {
  const lines = new LiveLines(stream, options);
  return lines.redraws ? new BatchOverview(lines) : new BatchLines(lines);
}

/**
 * The overview as lines of at most `columns − 1` characters: the sums, and a line for each job in hand.
 *
 * @param progress - the last event of each job that is rendered.
 */
export function renderOverview(
  jobs: readonly JobReport[],
  progress: ReadonlyMap<number, JobProgress>,
  remaining: number | undefined,
  columns: number,
): string[] {
  const room = Math.max(0, columns - 1);
  const counts = countJobs(jobs);
  const left = describeLeft(counts, remaining);
  const lines = [`${counts.done} of ${counts.total} videos${left}: ${formatCounts(counts)}`];
  const inHand = jobs.filter(
    ({ state }) => state === 'preparing' || state === 'ready' || state === 'rendering',
  );
  for (const job of inHand.slice(0, MAX_LINES)) lines.push(`  ${describeJob(job, progress.get(job.index))}`);
  if (inHand.length > MAX_LINES) lines.push(`  … and ${inHand.length - MAX_LINES} more`);
  return lines.map((line) => line.slice(0, room));
}

function describeJob({ name, state }: JobReport, event: JobProgress | undefined): string {
  const shown = (name.length > MAX_NAME ? `…${name.slice(1 - MAX_NAME)}` : name).padEnd(MAX_NAME);
  if (state !== 'rendering') return `${shown}  ${state === 'ready' ? 'ready' : 'preparing'}`;
  if (event === undefined) return `${shown}  loading networks`;
  const bar = drawBar(event.fraction, BAR_WIDTH);
  const pace = event.framesPerSecond > 0 ? `  ${event.framesPerSecond.toFixed(1)} frames/s` : '';
  return `${shown}  ${bar}  ${Math.floor(event.fraction * 100 + 1e-9)} %  ${event.framesDone}/${event.framesTotal} frames${pace}`;
}

/** Why a job is not done, for people. */
function describeEnd({ name, state, reused, failures, seconds }: JobReport): string | undefined {
  const reason = failures.at(-1)?.message ?? '';
  switch (state) {
    case 'done':
      return reused ? `${name}: was there already` : `${name}: done in ${formatSeconds(seconds)}`;
    case 'failed':
      return `${name}: failed: ${reason}`;
    case 'paused':
      return `${name}: paused, the disk is full: ${reason}`;
    case 'waiting':
      return failures.length > 0
        ? `${name}: attempt ${failures.length} failed: ${reason}; tried again`
        : undefined;
    default:
      return undefined;
  }
}

function describeLeft(counts: JobCounts, remaining: number | undefined): string {
  const unfinished = counts.waiting + counts.preparing + counts.ready + counts.rendering;
  if (remaining === undefined || unfinished === 0) return '';
  // Videos are closed after their last frame: until then there is something left.
  return `, about ${formatSeconds(Math.max(1, Math.round(remaining)))} left`;
}

/** Jobs as the events describe them. */
class BatchState {
  readonly jobs: JobReport[] = [];
  readonly progress = new Map<number, JobProgress>();
  remaining: number | undefined;
  /** Pictures that are looked at before the first is animated; undefined once all were. */
  checked: { readonly done: number; readonly total: number } | undefined;

  take(event: BatchEvent): void {
    if (event.type === 'batch') this.jobs.push(...event.jobs);
    else if (event.type === 'check') this.checked = event.done < event.total ? event : undefined;
    else if (event.type === 'job') {
      this.jobs[event.job.index] = event.job;
      if (event.job.state !== 'rendering') this.progress.delete(event.job.index);
    } else if (event.type === 'progress') {
      this.progress.set(event.job, event);
      this.remaining = event.batchRemaining;
    }
  }
}

/** Lines on a terminal that change in place, below what has ended badly. */
class BatchOverview implements BatchDisplay {
  readonly #lines: LiveLines;
  readonly #state = new BatchState();

  constructor(lines: LiveLines) {
    this.#lines = lines;
    lines.keep(() => this.#render());
  }

  update(event: BatchEvent): void {
    this.#state.take(event);
    if (event.type === 'notice') this.#print(`note: ${this.#nameOf(event.job)}${event.message}`);
    if (event.type === 'job' && event.job.state !== 'done') {
      const end = describeEnd(event.job);
      if (end !== undefined) this.#print(end);
    }
  }

  close(): void {
    this.#lines.clear();
  }

  #nameOf(index: number | undefined): string {
    return index === undefined ? '' : `${this.#state.jobs[index]!.name}: `;
  }

  #print(text: string): void {
    this.#lines.print(text);
    this.#lines.draw(this.#render());
  }

  #render(): string[] {
    const { jobs, progress, remaining, checked } = this.#state;
    if (checked !== undefined) return [`looking for faces: ${checked.done} of ${checked.total} pictures`];
    return jobs.length === 0 ? [] : renderOverview(jobs, progress, remaining, this.#lines.width + 1);
  }
}

/** A line for every job that ends, with the sums, and for what goes wrong. */
class BatchLines implements BatchDisplay {
  readonly #lines: LiveLines;
  readonly #looking: SlowCount;
  readonly #state = new BatchState();

  constructor(lines: LiveLines) {
    this.#lines = lines;
    this.#looking = new SlowCount(lines, 'looking for faces', 'pictures');
  }

  update(event: BatchEvent): void {
    this.#state.take(event);
    if (event.type === 'notice') this.#lines.print(`note: ${event.message}`);
    if (event.type === 'check') this.#looking.update(event);
    if (event.type !== 'job') return;
    const end = describeEnd(event.job);
    if (end === undefined) return;
    const counts = countJobs(this.#state.jobs);
    const left = describeLeft(counts, this.#state.remaining);
    this.#lines.print(`${end} (${counts.done} of ${counts.total}${left})`);
  }

  close(): void {}
}

/** Milliseconds between two lines about something that goes on. */
const COUNT_MS = 5000;

/** A count that changes in place on a terminal; elsewhere it is printed now and then, and not at all where it is quick. */
export class SlowCount {
  readonly #lines: LiveLines;
  readonly #what: string;
  readonly #noun: string;
  #printedAt: number | undefined;

  constructor(lines: LiveLines, what: string, noun: string) {
    this.#lines = lines;
    this.#what = what;
    this.#noun = noun;
  }

  update({ done, total }: { readonly done: number; readonly total: number }): void {
    const line = `${this.#what}: ${done} of ${total} ${this.#noun}`;
    if (this.#lines.redraws) this.#lines.offer([line]);
    else {
      const now = this.#lines.now();
      this.#printedAt ??= now;
      if (now - this.#printedAt < COUNT_MS) return;
      this.#printedAt = now;
      this.#lines.print(line);
    }
  }
}
