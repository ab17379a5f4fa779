/** What a job tells on its way. */

/** Parts of the job in the order in which they begin. */
export type Stage = 'prepare' | 'motion' | 'load' | 'render' | 'finish';

/** How far the rendering of a clip is. */
export interface RenderingProgress {
  /** Frames handed to the encoder so far, and in all. */
  readonly framesDone: number;
  readonly framesTotal: number;
  /** Denoiser steps done and in all, over all windows; moves between frames. */
  readonly stepsDone: number;
  readonly stepsTotal: number;
  /** Share of the rendering that is done, 0 to 1: moves with the steps, and is 1 only when the last frame is out. */
  readonly fraction: number;
  /** Frames a second since rendering began, 0 until known. */
  readonly framesPerSecond: number;
  /** Seconds until the end of the job, from the pace so far; undefined until known. */
  readonly remaining?: number;
}

/** How far a film is looked at, before the clip is rendered. */
export interface TrackingProgress {
  readonly film: string;
  /** Seconds of film, so far and, where the file says it, in all. */
  readonly secondsDone: number;
  readonly secondsTotal?: number;
  /** Share that is done, 0 to 1, where the file says how long it is. */
  readonly fraction?: number;
}

/** What `onProgress` receives. */
export type ProgressEvent =
  | { readonly type: 'stage'; readonly stage: Stage }
  | ({ readonly type: 'frames' } & RenderingProgress)
  | ({ readonly type: 'tracking' } & TrackingProgress)
  | { readonly type: 'notice'; readonly message: string };
