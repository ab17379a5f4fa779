/** A portrait whose networks see drawings that somebody else has made. */
import type { RgbImage } from '../image/rgb-image.ts';
import { MESH_VALUES, POSE_VALUES } from '../motion/motion.ts';
import type { MotionSource } from '../motion/motion-source.ts';
import { type DrawingView, drawingConditions } from './drawn-scene.ts';
import type { Scene, ScenePortrait } from './scene.ts';

/** What gives the drawing of each frame, with channels as they were drawn. */
interface Drawings {
  at(frame: number): Promise<RgbImage>;
}

const STILL: MotionSource = {
  at: async () => ({ offsets: new Float32Array(MESH_VALUES), pose: new Float32Array(POSE_VALUES) }),
};

/**
 * The scene of a portrait whose frames are drawn in a video. Nothing of it is fitted to the portrait: the networks see the
 * whole drawing, at the size that they see pictures in.
 *
 * Source: AniPortrait, `pose2vid.py`, commit 7f6593f.
 */
export function posedByVideo(portrait: ScenePortrait, drawings: Drawings, view: DrawingView): Scene {
  const scene = portrait.withMotion(STILL);
  return {
    width: scene.width,
    height: scene.height,
    reference: scene.reference,
    conditions: async (frame) => ({ conditions: drawingConditions(await drawings.at(frame), view) }),
    base: (frame) => scene.base(frame),
    shown: (frame) => scene.shown(frame),
    drivenFace: (frame) => scene.drivenFace(frame),
    compose: (frame, decoded, memory) => scene.compose(frame, decoded, memory),
  };
}
