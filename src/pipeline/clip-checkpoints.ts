/** How rendering keeps its progress: where to resume, and a place for save points. */
import type { ResumePoint, SavePoint } from '../denoising/denoise-clip.ts';
import type { ClipNetworks } from '../networks/clip-networks.ts';
import type { Job } from './open-job.ts';

/** The clip that checkpoints are for; what was saved for another shape is of no use. */
export interface ClipShape {
  readonly frames: number;
  /** Of the last step. */
  readonly windows: number;
  /** Denoising steps of each frame. */
  readonly steps: number;
  /** `[channels, height, width]` of one frame's latents. */
  readonly frameShape: readonly [channels: number, height: number, width: number];
  /** Where the networks run, and how: devices and precisions round differently. */
  readonly device: string;
}

/** The shape of a job that is rendered by these networks on this device. */
export function clipShapeOf(
  { denoisedFrames, windows, sampling }: Job,
  { frameShape }: Pick<ClipNetworks, 'frameShape'>,
  device: string,
): ClipShape {
  return {
    frames: denoisedFrames.length,
    windows: windows.at(-1)!.length,
    steps: windows.length,
    frameShape,
    device: sampling.precision === 'int8' ? `${device} in int8` : device,
  };
}

/** Keeps the progress of one clip. */
export interface ClipCheckpoints {
  /** Where an earlier run of the same clip was, or undefined to begin at the start. */
  load(shape: ClipShape): Promise<ResumePoint | undefined>;
  /**
   * Takes a save point; returns as soon as it may be let go, which is before it is durable.
   *
   * @throws what went wrong with the one before.
   */
  save(point: SavePoint): Promise<void>;
  /** Waits until all that was taken is durable. */
  flush(): Promise<void>;
}
