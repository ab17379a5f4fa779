/** Progress of a job: a line that is redrawn on a terminal, a line now and then elsewhere. */
import type { ProgressEvent, RenderingProgress, Stage } from '../pipeline/animate-options.ts';
import { formatSeconds } from './format.ts';

/** What a display knows at one moment. */
interface ProgressState {
  readonly stage: Stage;
  /** Seconds since the stage began. */
  readonly stageElapsed: number;
  /** The last report, once rendering has one. */
  readonly frames?: RenderingProgress;
  /** Seconds since that report. */
  readonly framesAge?: number;
}

/** Shows events; `close` takes away what would be in the way of later output, and may be called twice. */
interface ProgressDisplay {
  update(event: ProgressEvent): void;
  close(): void;
}

/** The part of a stream that a display needs. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const STAGE_NAMES: Record<Stage, string> = {
  prepare: 'Reading portrait and speech',
  motion: 'Making motion from speech',
  load: 'Loading networks',
  render: 'Rendering',
  finish: 'Finishing the video',
};

/** A remaining time that is overdue by more seconds than this was wrong, and is not shown. */
const OVERDUE = 2;
const MAX_BAR_WIDTH = 30;
const MIN_BAR_WIDTH = 8;
const REDRAW_MS = 200;
/** Back to the first column, and clear to the end of the line. */
const CLEAR_LINE = '\r\x1b[K';

/**
 * The display for a stream: none when `quiet`, a bar on a terminal that can redraw a line, lines otherwise.
 *
 * @param now - a clock in milliseconds.
 */
export function createProgressDisplay(
  stream: ProgressStream,
  options: { readonly quiet?: boolean; readonly dumb?: boolean; readonly now?: () => number } = {},
): ProgressDisplay {
  const { quiet = false, dumb = false, now = () => performance.now() } = options;
  if (quiet) return { update: () => {}, close: () => {} };
  return stream.isTTY && !dumb ? new ProgressBar(stream, now) : new ProgressLines(stream);
}

/**
 * One line of at most `columns − 1` characters: stage, bar, frames, pace and remaining time. What does not fit
 * goes from the end, the bar first.
 */
export function renderProgress(state: ProgressState, columns: number): string {
  const name = STAGE_NAMES[state.stage];
  const room = Math.max(0, columns - 1);
  if (state.stage !== 'render' || !state.frames) {
    const elapsed = state.stageElapsed >= 1 ? `  ${Math.floor(state.stageElapsed)} s` : '';
    return `${name}…${elapsed}`.slice(0, room);
  }
  const facts = describeFrames(state.frames, state.framesAge ?? 0);
  const line = () => [name, ...facts].join('  ');
  const width = Math.min(MAX_BAR_WIDTH, room - line().length - 2);
  if (width < MIN_BAR_WIDTH) {
    while (facts.length > 1 && line().length > room) facts.pop();
    return line().slice(0, room);
  }
  const filled = Math.floor(state.frames.fraction * width);
  const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
  return [name, bar, ...facts].join('  ');
}

/** Percentage, frames, pace, remaining time: the last two once they are known. */
function describeFrames(event: RenderingProgress, age: number): string[] {
  const facts = [
    `${Math.floor(event.fraction * 100 + 1e-9)} %`,
    `${event.framesDone}/${event.framesTotal} frames`,
  ];
  if (event.framesPerSecond > 0) facts.push(`${event.framesPerSecond.toFixed(1)} frames/s`);
  if (event.remaining !== undefined) {
    const left = event.remaining - age;
    if (left >= -OVERDUE)
      facts.push(`${formatSeconds(Math.max(1, Math.ceil(left)))} left`.replace('.0 s', ' s'));
  }
  return facts;
}

/** A line on a terminal that changes in place. */
class ProgressBar implements ProgressDisplay {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #stage: Stage = 'prepare';
  #stageSince: number;
  #frames: RenderingProgress | undefined;
  #framesSince = 0;
  #drawn = '';

  constructor(stream: ProgressStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
    this.#stageSince = now();
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  update(event: ProgressEvent): void {
    switch (event.type) {
      case 'stage':
        this.#stage = event.stage;
        this.#stageSince = this.#now();
        this.#draw();
        break;
      case 'frames': // the timer draws it: events may come faster than an eye can read
        this.#frames = event;
        this.#framesSince = this.#now();
        break;
      case 'notice':
        this.#clear();
        this.#stream.write(`lcm-portrait: note: ${event.message}\n`);
        this.#draw();
        break;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #draw(): void {
    const state: ProgressState = {
      stage: this.#stage,
      stageElapsed: (this.#now() - this.#stageSince) / 1000,
      ...(this.#frames && { frames: this.#frames, framesAge: (this.#now() - this.#framesSince) / 1000 }),
    };
    const line = renderProgress(state, this.#stream.columns || 80);
    if (line === this.#drawn) return;
    // New text over the old, then the rest of the line cleared, in one write: an empty line never shows.
    this.#stream.write(`\r${line}\x1b[K`);
    this.#drawn = line;
  }

  #clear(): void {
    if (this.#drawn !== '') this.#stream.write(CLEAR_LINE);
    this.#drawn = '';
  }
}

/** A line for every stage, and for every tenth of the rendering. */
class ProgressLines implements ProgressDisplay {
  readonly #stream: ProgressStream;
  #tenths = 0;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  update(event: ProgressEvent): void {
    switch (event.type) {
      case 'stage':
        this.#write(STAGE_NAMES[event.stage]);
        break;
      case 'frames': {
        const tenths = Math.floor(event.fraction * 10 + 1e-9);
        if (tenths <= this.#tenths) return;
        this.#tenths = tenths;
        this.#write(`${STAGE_NAMES.render}: ${describeFrames(event, 0).join(', ')}`);
        break;
      }
      case 'notice':
        this.#write(`note: ${event.message}`);
        break;
    }
  }

  close(): void {}

  #write(text: string): void {
    this.#stream.write(`lcm-portrait: ${text}\n`);
  }
}
