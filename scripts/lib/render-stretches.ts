/** Stretches of a long clip, rendered one after the other, where there is no time for what lies between them. */
import { planClip } from '../../src/pipeline/resolve-sampling.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import type { Scene } from '../../src/scene/scene.ts';

/** Times of a clip, in seconds. */
export interface Stretch {
  readonly from: number;
  readonly seconds: number;
}

/** Options of {@link renderStretches}. */
interface StretchOptions {
  readonly portrait: string;
  /** Of the whole clip. */
  readonly audio: string;
  readonly output: string;
  readonly preset: 'fast' | 'faster' | 'original';
  /** Of the video. @defaultValue the program's */
  readonly fps?: number | undefined;
  readonly stretches: readonly Stretch[];
}

/**
 * Renders the stretches as one video. Motion is that of the whole clip at their times; windows go over the frames of the video, and noise is
 * drawn by their numbers in it, as if the stretches followed one another. The sound of the video is that of the clip's beginning.
 *
 * @returns the first frame of each stretch in the video, and its frame rate.
 */
export async function renderStretches({
  portrait,
  audio,
  output,
  preset,
  fps,
  stretches,
}: StretchOptions): Promise<{ readonly firsts: readonly number[]; readonly fps: number }> {
  const studio = new Studio({ device: 'cpu' });
  try {
    const clip = await studio.prepare({
      ...{ portrait, audio, output, preset, overwrite: true },
      ...(fps !== undefined && { fps }),
    });
    try {
      const { job, scene } = clip;
      const firsts: number[] = [];
      const shown: number[] = [];
      for (const { from, seconds } of stretches) {
        firsts.push(shown.length);
        const first = Math.round(from * job.fps);
        const end = Math.min(job.frames, Math.round((from + seconds) * job.fps));
        for (let frame = first; frame < end; frame++) shown.push(frame);
      }
      const planned = planClip(job.bundle, preset, job.sampling, shown.length);
      await studio.render({
        ...clip,
        job: { ...job, ...planned, frames: shown.length },
        scene: scene && withFrames(scene, shown),
      });
      return { firsts, fps: job.fps };
    } finally {
      await clip.dispose();
    }
  } finally {
    await studio.dispose();
  }
}

/** The scene whose frame `i` is that of number `shown[i]`. */
function withFrames(scene: Scene, shown: readonly number[]): Scene {
  const { width, height, reference } = scene;
  const at = (frame: number): number => shown[Math.min(frame, shown.length - 1)]!;
  return {
    width,
    height,
    reference,
    conditions: (frame) => scene.conditions(at(frame)),
    base: (frame) => scene.base(at(frame)),
    shown: (frame) => scene.shown(at(frame)),
    drivenFace: (frame) => scene.drivenFace(at(frame)),
    compose: (frame, decoded, memory) => scene.compose(at(frame), decoded, memory),
  };
}
