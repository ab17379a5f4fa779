/** What jobs are rendered by: the part of a studio that they need, so that tests can do without networks. */
import type { AnimateOptions, AnimateResult } from '../pipeline/animate-options.ts';
import type { ClipCheckpoints } from '../pipeline/clip-checkpoints.ts';

/** One clip to render. */
export interface RenderRequest {
  readonly options: AnimateOptions;
  readonly checkpoints: ClipCheckpoints;
  /** File that gets a video which can be played while the clip is rendered. */
  readonly livePath?: string | undefined;
  /** Called with the complete video before it gets its name. */
  readonly beforePublish: (partial: string) => Promise<void>;
}

/** A clip that is ready to be rendered. */
export interface PreparedRender {
  readonly frames: number;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  /** Waits for clips before it; tells by the stage `render` when its turn comes. */
  render(): Promise<AnimateResult>;
  /** May be called twice. */
  dispose(): Promise<void>;
}

/** Renders clips with one set of loaded networks. */
export interface ClipRenderer {
  /**
   * Looks whether a clip's portrait can be animated, without anything else of the clip.
   *
   * @throws {@link FaceError} or {@link MediaError} if it cannot.
   */
  readonly examine?: (options: AnimateOptions) => Promise<void>;
  prepare(request: RenderRequest): Promise<PreparedRender>;
  /** May be called twice. */
  dispose(): Promise<void>;
}
