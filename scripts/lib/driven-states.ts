/** What a clip is asked to show, before anything is drawn. */
import type { FaceFinder } from '../../src/face/face-finder.ts';
import type { MotionFactory } from '../../src/motion/load-motion.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import { resolveOptions } from '../../src/pipeline/resolve-options.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import { type FaceState, stateOfMesh } from './talk-measures.ts';

/** The mesh of a face on a picture, [468, 3] in cm, as clips are made from it. */
export async function portraitMesh(
  file: string,
  { finder, resolution }: { readonly finder: FaceFinder; readonly resolution: number },
): Promise<ArrayLike<number>> {
  const { mesh } = await openPortrait({
    ...{ path: file, resolution, framing: 'crop' as const },
    ...{ view: { type: 'warp' as const }, finder, onNotice: () => {} },
  });
  return mesh;
}

/** What {@link drivenStates} needs. */
export interface DrivenClip {
  readonly motionOf: MotionFactory;
  /** Of {@link portraitMesh}. */
  readonly mesh: ArrayLike<number>;
  /** The clip's whole speech, at the sample rate of the motion network. */
  readonly pcm: Float32Array;
  readonly fps: number;
  readonly frames: number;
  /** Of the clip; style, seed and scales count. */
  readonly options: AnimateOptions;
}

/** Mesh and pose of each frame, measured like a film's. */
export async function drivenStates({ mesh, options, motionOf, ...clip }: DrivenClip): Promise<FaceState[]> {
  const motion = motionOf({ ...clip, mesh, scales: resolveOptions(options) });
  const states: FaceState[] = [];
  for (let frame = 0; frame < clip.frames; frame++) {
    const { offsets, pose } = await motion.at(frame);
    states.push(
      stateOfMesh(
        Float64Array.from(offsets, (offset, i) => offset + mesh[i]!),
        pose,
      ),
    );
  }
  return states;
}
