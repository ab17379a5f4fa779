/** Progress of a batch: a few lines that are redrawn on a terminal, a line for each job elsewhere. */
import type { BatchEvent, JobCounts, JobProgress, JobReport } from '../jobs/batch-events.ts';
import { countJobs } from '../jobs/batch-events.ts';
import { formatCounts } from './batch-format.ts';
import { formatSeconds } from './format.ts';
import type { ProgressStream } from './progress-bar.ts';

/** Shows events; `close` takes away what would be in the way of later output, and may be called twice. */
interface BatchDisplay {
  update(event: BatchEvent): void;
  close(): void;
}

const REDRAW_MS = 200;
/** Jobs in hand that are shown; more would scroll a terminal away. */
const MAX_LINES = 8;
const MAX_NAME = 32;
const BAR_WIDTH = 24;
const CLEAR_LINE = '\x1b[K';

/** The display for a stream: none when `quiet`, an overview on a terminal that can redraw, lines otherwise. */
export function createBatchDisplay(
  stream: ProgressStream,
  { quiet = false, dumb = false }: { readonly quiet?: boolean; readonly dumb?: boolean } = {},
): BatchDisplay {
  if (quiet) return { update: () => {}, close: () => {} };
  return stream.isTTY && !dumb ? new BatchOverview(stream) : new BatchLines(stream);
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
  const filled = Math.floor(event.fraction * BAR_WIDTH + 1e-9);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
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

/** Jobs as events have told of them. */
class BatchState {
  readonly jobs: JobReport[] = [];
  readonly progress = new Map<number, JobProgress>();
  remaining: number | undefined;

  take(event: BatchEvent): void {
    if (event.type === 'batch') this.jobs.push(...event.jobs);
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
  readonly #stream: ProgressStream;
  readonly #state = new BatchState();
  readonly #timer: NodeJS.Timeout;
  #drawn: readonly string[] = [];

  constructor(stream: ProgressStream) {
    this.#stream = stream;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  update(event: BatchEvent): void {
    this.#state.take(event);
    if (event.type === 'notice') this.#above(`note: ${this.#nameOf(event.job)}${event.message}`);
    if (event.type === 'job' && event.job.state !== 'done') {
      const end = describeEnd(event.job);
      if (end !== undefined) this.#above(end);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stream.write(this.#erase());
    this.#drawn = [];
  }

  #nameOf(index: number | undefined): string {
    return index === undefined ? '' : `${this.#state.jobs[index]!.name}: `;
  }

  /** A line that stays, above the overview. */
  #above(text: string): void {
    this.#stream.write(`${this.#erase()}lcm-portrait: ${text}\n`);
    this.#drawn = [];
    this.#draw();
  }

  /** To the first of the drawn lines, and everything below it cleared. */
  #erase(): string {
    if (this.#drawn.length === 0) return '';
    const up = this.#drawn.length > 1 ? `\x1b[${this.#drawn.length - 1}A` : '';
    return `\r${up}\x1b[J`;
  }

  #draw(): void {
    const { jobs, progress, remaining } = this.#state;
    if (jobs.length === 0) return;
    const lines = renderOverview(jobs, progress, remaining, this.#stream.columns || 80);
    if (lines.join('\n') === this.#drawn.join('\n')) return;
    // In one write, and each line cleared after its text: nothing flickers.
    const up = this.#drawn.length > 1 ? `\x1b[${this.#drawn.length - 1}A` : '';
    this.#stream.write(`\r${up}${lines.map((line) => line + CLEAR_LINE).join('\n')}\x1b[J`);
    this.#drawn = lines;
  }
}

/** A line for every job that ends, with the sums, and for what goes wrong. */
class BatchLines implements BatchDisplay {
  readonly #stream: ProgressStream;
  readonly #state = new BatchState();

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  update(event: BatchEvent): void {
    this.#state.take(event);
    if (event.type === 'notice') this.#write(`note: ${event.message}`);
    if (event.type !== 'job') return;
    const end = describeEnd(event.job);
    if (end === undefined) return;
    const counts = countJobs(this.#state.jobs);
    const left = describeLeft(counts, this.#state.remaining);
    this.#write(`${end} (${counts.done} of ${counts.total}${left})`);
  }

  close(): void {}

  #write(text: string): void {
    this.#stream.write(`lcm-portrait: ${text}\n`);
  }
}
