/** What a job tells on its way. */

/** Parts of the job in the order in which they begin. */
export type Stage = 'prepare' | 'motion' | 'load' | 'render' | 'finish';

/** What `onProgress` receives. */
export type ProgressEvent =
  | { readonly type: 'stage'; readonly stage: Stage }
  | {
      readonly type: 'frames';
      /** Frames handed to the encoder so far, and in all. */
      readonly framesDone: number;
      readonly framesTotal: number;
      /** Denoiser steps done and in all, over all windows; moves between frames. */
      readonly stepsDone: number;
      readonly stepsTotal: number;
      /** Frames a second since rendering began, 0 until known. */
      readonly framesPerSecond: number;
      /** Seconds until the end of the job, from the pace so far; undefined until known. */
      readonly remaining?: number;
    }
  | { readonly type: 'notice'; readonly message: string };
