/** Progress of a job: a line that is redrawn on a terminal, a line now and then elsewhere. */
import type { ProgressEvent, RenderingProgress, Stage } from '../pipeline/animate-options.ts';
import type { TrackingProgress } from '../pipeline/progress-event.ts';
import { formatSeconds } from './format.ts';
import { barLine, type DisplayOptions, LiveLines, type ProgressStream } from './live-lines.ts';

/** What a display knows at one moment. */
interface ProgressState {
  readonly stage: Stage;
  /** Seconds since the stage began. */
  readonly stageElapsed: number;
  /** How far a film is looked at, while it is. */
  readonly tracking?: TrackingProgress;
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

const STAGE_NAMES: Record<Stage, string> = {
  prepare: 'Reading inputs',
  motion: 'Generating motion',
  load: 'Loading networks',
  render: 'Rendering',
  finish: 'Finishing the video',
};

const TRACKING_NAME = 'Tracking the face';

/** A remaining time that is overdue by more seconds than this was wrong, and is not shown. */
const OVERDUE = 2;
/** The display for a stream: none when `quiet`, a bar on a terminal that can redraw a line, lines otherwise. */
export function createProgressDisplay(stream: ProgressStream, options: DisplayOptions = {}): ProgressDisplay {
  const lines = new LiveLines(stream, options);
  return lines.redraws ? new ProgressBar(lines) : new ProgressLines(lines);
}

/**
 * One line of at most `columns − 1` characters: stage, bar, frames, pace and remaining time. What does not fit
 * goes from the end, the bar first.
 */
export function renderProgress(state: ProgressState, columns: number): string {
  const name = STAGE_NAMES[state.stage];
  const room = Math.max(0, columns - 1);
  if (state.stage === 'prepare' && state.tracking?.secondsTotal) {
    const { secondsDone, secondsTotal, fraction = 0 } = state.tracking;
    const facts = [
      `${Math.floor(fraction * 100)} %`,
      `${secondsDone.toFixed(0)}/${secondsTotal.toFixed(0)} s`,
    ];
    return barLine(TRACKING_NAME, fraction, facts, room);
  }
  if (state.stage !== 'render' || !state.frames) {
    const elapsed = state.stageElapsed >= 1 ? `  ${Math.floor(state.stageElapsed)} s` : '';
    return `${name}…${elapsed}`.slice(0, room);
  }
  const facts = describeFrames(state.frames, state.framesAge ?? 0);
  return barLine(name, state.frames.fraction, facts, room);
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
  readonly #lines: LiveLines;
  #stage: Stage = 'prepare';
  #stageSince: number;
  #tracking: TrackingProgress | undefined;
  #frames: RenderingProgress | undefined;
  #framesSince = 0;

  constructor(lines: LiveLines) {
    this.#lines = lines;
    this.#stageSince = lines.now();
    lines.keep(() => this.#render());
  }

  update(event: ProgressEvent): void {
    switch (event.type) {
      case 'stage':
        this.#stage = event.stage;
        this.#stageSince = this.#lines.now();
        this.#lines.draw(this.#render());
        break;
      case 'frames': // drawn by the clock: events may come faster than an eye can read
        this.#frames = event;
        this.#framesSince = this.#lines.now();
        break;
      case 'tracking':
        this.#tracking = event;
        break;
      case 'notice':
        this.#lines.print(`note: ${event.message}`);
        break;
    }
  }

  close(): void {
    this.#lines.clear();
  }

  #render(): string[] {
    const now = this.#lines.now();
    const state: ProgressState = {
      stage: this.#stage,
      stageElapsed: (now - this.#stageSince) / 1000,
      ...(this.#tracking && { tracking: this.#tracking }),
      ...(this.#frames && { frames: this.#frames, framesAge: (now - this.#framesSince) / 1000 }),
    };
    return [renderProgress(state, this.#lines.width + 1)];
  }
}

/** A line for every stage, and for every tenth of the rendering. */
class ProgressLines implements ProgressDisplay {
  readonly #lines: LiveLines;
  #tenths = 0;

  constructor(lines: LiveLines) {
    this.#lines = lines;
  }

  update(event: ProgressEvent): void {
    switch (event.type) {
      case 'stage':
        this.#lines.print(STAGE_NAMES[event.stage]);
        break;
      case 'frames': {
        const tenths = Math.floor(event.fraction * 10 + 1e-9);
        if (tenths <= this.#tenths) return;
        this.#tenths = tenths;
        this.#lines.print(`${STAGE_NAMES.render}: ${describeFrames(event, 0).join(', ')}`);
        break;
      }
      case 'tracking': // a line for each would be many
        break;
      case 'notice':
        this.#lines.print(`note: ${event.message}`);
        break;
    }
  }

  close(): void {}
}
