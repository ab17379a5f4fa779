/**
 * What is seen of a clip, frame by frame: what the networks get for a frame beforehand, and how their output becomes
 * the frame after. A kind of bundle has one implementation of this and one of {@link ClipNetworks}; they fit each other.
 */
import type { ImageRegion, RgbImage } from '../image/rgb-image.ts';
import { type BundleDescription, POSE_GUIDER_VARIANTS, pictureSizeOf } from '../models/bundle-description.ts';
import type { FrameBase, FrameConditions, PixelBox, SceneReference } from '../models/frame-conditions.ts';
import type { SpatialSize } from '../models/unet-config.ts';
import type { MotionSource } from '../motion/motion-source.ts';
import type { DrivenFace } from './framed-face.ts';

/** Larger pictures are made smaller first: players and encoders are made for up to Full HD. */
export const MAX_VIDEO_SIDE = 1920;

/** A portrait before it moves. */
export interface ScenePortrait {
  /** [468, 3] in cm. */
  readonly mesh: Float64Array;
  /** Row-major 4×4, from the face to the camera. */
  readonly transform: Float64Array;
  /** Pixels of the video's frames, even. */
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  withMotion(motion: MotionSource): Scene;
}

/** How a kind of bundle sees a portrait. */
export type SceneView =
  | { readonly type: 'warp' }
  | {
      readonly type: 'drawing';
      /** Of the pictures that the networks see. */
      readonly size: SpatialSize;
      /** What the drawing's bytes are divided by before 2v − 1. */
      readonly pixelDivisor: 1 | 255;
      /** Side of the image encoder's picture; null without one. */
      readonly imageSize: number | null;
    };

/** The view that a bundle's networks are made for. */
export function sceneViewOf(description: BundleDescription): SceneView {
  const { poseConditions, imageEncoder } = description;
  if (poseConditions.type === 'drawing-and-warp') return { type: 'warp' };
  const { pixelRange } = POSE_GUIDER_VARIANTS[poseConditions.variant];
  return {
    type: 'drawing',
    size: pictureSizeOf(description),
    pixelDivisor: pixelRange === 255 ? 1 : 255,
    imageSize: imageEncoder?.imageSize ?? null,
  };
}

/** A finished frame. */
export interface ComposedPicture extends RgbImage {
  /** The part in which it may differ from the clip's other frames; undefined for all of it. */
  readonly changed?: ImageRegion | undefined;
}

/** The portrait of a clip in motion. Calls may overlap; a frame can be asked for again, with the same result. */
export interface Scene {
  /** Pixels of the video's frames, even. */
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  /** Conditions of frame `frame`, counted from the clip's first. */
  conditions(frame: number): Promise<FrameConditions>;
  /** What frame `frame` is decoded over, as in its conditions: less work. */
  base(frame: number): Promise<FrameBase>;
  /** The part of its base in which what is decoded for frame `frame` is looked at; undefined for all of it. */
  shown(frame: number): Promise<PixelBox | undefined>;
  /** What the motion asks of the face in frame `frame`. */
  drivenFace(frame: number): Promise<DrivenFace>;
  /**
   * The finished frame.
   *
   * @param decoded - what {@link ClipNetworks.decode} gave for it; moved away, empty afterwards.
   * @param memory - of another of the scene's pictures, which is not looked at any more; may be used for this one, and is moved away.
   */
  compose(frame: number, decoded: Float32Array, memory?: Uint8Array): Promise<ComposedPicture>;
}
