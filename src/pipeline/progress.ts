/**
 * How far a rendering is, and what is left of it. All displays, the events of a batch and those of the library have their
 * numbers from here.
 */
import { countWindowSteps, type WindowPlan } from '../denoising/context-windows.ts';
import type { ProgressEvent, Stage } from './progress-event.ts';

/** Share of a rendering that is denoising; the rest is decoding and encoding, which end a few frames after it. */
const DENOISING_SHARE = 0.9;
/** The first step also warms the networks up: until there are more, no time is given. */
const STEPS_BEFORE_ESTIMATE = 3;

/** Work done at a moment, in any unit. */
interface WorkDone {
  /** Seconds since this run began to work. */
  readonly elapsed: number;
  /** Done before it began: says nothing of its pace. */
  readonly before: number;
  readonly done: number;
  readonly total: number;
}

/** Seconds until all is done, from the pace so far; undefined where there is no pace yet. */
export function remainingSeconds({ elapsed, before, done, total }: WorkDone): number | undefined {
  return done > before && elapsed > 0 ? (elapsed * (total - done)) / (done - before) : undefined;
}

/** How far a film is looked at, in seconds; files may be longer than they say. */
export function describeTracking(
  film: string,
  { done, total }: { readonly done: number; readonly total?: number | undefined },
): ProgressEvent {
  const length = total !== undefined && {
    secondsTotal: total,
    fraction: total > 0 ? Math.min(1, done / total) : 0,
  };
  return { type: 'tracking', film, secondsDone: done, ...length };
}

/** One of several clips that are rendered. */
interface ClipWork {
  /** Undefined until they are counted. */
  readonly frames: number | undefined;
  /** Share that is done, 0 to 1, and the part of it that was done before this run. */
  readonly fraction: number;
  readonly before: number;
}

/**
 * How far several clips are together: by their frames, where those without a known number are taken for average ones.
 *
 * @param elapsed - seconds since the first of them was rendered.
 */
export function combineProgress(
  clips: readonly ClipWork[],
  elapsed: number,
): { readonly fraction: number; readonly remaining: number | undefined } {
  const known = clips.flatMap(({ frames }) => frames ?? []);
  const average = known.reduce((sum, frames) => sum + frames, 0) / known.length || 1;
  const work = { elapsed, before: 0, done: 0, total: 0 };
  for (const { frames = average, fraction, before } of clips) {
    work.total += frames;
    work.done += frames * fraction;
    work.before += frames * before;
  }
  return { fraction: work.done / work.total, remaining: remainingSeconds(work) };
}

/** What {@link ClipProgress} counts. */
export interface ClipSize {
  readonly frames: number;
  /** Steps of all windows. */
  readonly steps: number;
}

/** A job, as far as its progress goes. */
interface ReportedClip {
  readonly frames: number;
  readonly windows: WindowPlan;
  readonly options: { readonly onProgress?: ((event: ProgressEvent) => void) | undefined };
}

/** Turns the finished steps and frames of one clip into events. */
export class ClipProgress {
  readonly #size: ClipSize;
  readonly #report: (event: ProgressEvent) => void;
  #begin = performance.now();
  #framesDone = 0;
  #stepsDone = 0;
  /** Of an earlier run. */
  #stepsBefore = 0;

  constructor(size: ClipSize, report: (event: ProgressEvent) => void) {
    this.#size = size;
    this.#report = report;
  }

  /** The progress of a job, for the caller of the clip. */
  static of({ frames, windows, options: { onProgress } }: ReportedClip): ClipProgress {
    return new ClipProgress({ frames, steps: countWindowSteps(windows) }, (event) => onProgress?.(event));
  }

  /** A stage begins. */
  stage(stage: Stage): void {
    this.#report({ type: 'stage', stage });
  }

  /** Rendering begins, after an earlier run's steps, if any; its frames are encoded again, and counted as that happens. */
  begin(stepsBefore = 0): void {
    this.#begin = performance.now();
    this.#stepsBefore = stepsBefore;
    this.#stepsDone = stepsBefore;
    this.#emit();
  }

  /** A window has taken a step. */
  stepDone(): void {
    this.#stepsDone += 1;
    this.#emit();
  }

  /** The encoder has taken a frame. */
  frameDone(): void {
    this.#framesDone += 1;
    this.#emit();
  }

  #fraction(stepsDone: number, framesDone: number): number {
    const { steps, frames } = this.#size;
    return (DENOISING_SHARE * stepsDone) / steps + ((1 - DENOISING_SHARE) * framesDone) / frames;
  }

  #emit(): void {
    const elapsed = (performance.now() - this.#begin) / 1000;
    const { frames, steps } = this.#size;
    const isComplete = this.#stepsDone === steps && this.#framesDone === frames;
    const fraction = isComplete ? 1 : this.#fraction(this.#stepsDone, this.#framesDone);
    const before = this.#fraction(this.#stepsBefore, 0);
    const isKnown = this.#stepsDone - this.#stepsBefore >= STEPS_BEFORE_ESTIMATE;
    const remaining = isKnown ? remainingSeconds({ elapsed, before, done: fraction, total: 1 }) : undefined;
    this.#report({
      type: 'frames',
      framesDone: this.#framesDone,
      framesTotal: frames,
      stepsDone: this.#stepsDone,
      stepsTotal: steps,
      fraction,
      framesPerSecond: elapsed > 0 ? this.#framesDone / elapsed : 0,
      ...(remaining !== undefined && { remaining }),
    });
  }
}
