/** Turns finished steps and frames into progress events with a remaining time that can be believed. */
import type { ProgressEvent } from './animate-options.ts';

/** Share of a clip's rendering that is denoising; the rest is decoding and encoding. */
const DENOISING_SHARE = 0.8;
/** The first step also warms the networks up: until there are more, no time is given. */
const STEPS_BEFORE_ESTIMATE = 3;

/** Counts for one clip. */
export class RenderProgress {
  readonly #framesTotal: number;
  readonly #stepsTotal: number;
  readonly #report: (event: ProgressEvent) => void;
  #begin = performance.now();
  #framesDone = 0;
  #stepsDone = 0;
  /** Of an earlier run: they say nothing of the pace. */
  #stepsBefore = 0;

  constructor(framesTotal: number, stepsTotal: number, report: (event: ProgressEvent) => void) {
    this.#framesTotal = framesTotal;
    this.#stepsTotal = stepsTotal;
    this.#report = report;
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

  #emit(): void {
    const elapsed = (performance.now() - this.#begin) / 1000;
    const before = (DENOISING_SHARE * this.#stepsBefore) / this.#stepsTotal;
    const done =
      (DENOISING_SHARE * this.#stepsDone) / this.#stepsTotal +
      ((1 - DENOISING_SHARE) * this.#framesDone) / this.#framesTotal;
    const newSteps = this.#stepsDone - this.#stepsBefore;
    const isKnown = newSteps >= STEPS_BEFORE_ESTIMATE;
    this.#report({
      type: 'frames',
      framesDone: this.#framesDone,
      framesTotal: this.#framesTotal,
      stepsDone: this.#stepsDone,
      stepsTotal: this.#stepsTotal,
      framesPerSecond: elapsed > 0 ? this.#framesDone / elapsed : 0,
      ...(isKnown ? { remaining: (elapsed * (1 - done)) / (done - before) } : {}),
    });
  }
}
