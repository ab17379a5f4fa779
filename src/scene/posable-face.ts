/** What a kind of bundle does with the face of one picture, and with the networks' answer for a frame. */
import type { SoftMask } from '../face/lower-face-mask.ts';
import type { ImageRegion, RgbImage } from '../image/rgb-image.ts';
import type { FrameBase, FrameConditions, PixelBox, SceneReference } from '../models/frame-conditions.ts';
import type { FrameMotion } from '../motion/motion-source.ts';
import type { DrivenFace } from './framed-face.ts';

/** The face of one picture, which can be shown to the networks in other poses. */
export interface PosableFace {
  /** [468, 3] in cm. */
  readonly mesh: Float64Array;
  /** Row-major 4×4, from the face to the camera. */
  readonly transform: Float64Array;
  /** What the reference networks see of the picture. */
  reference(): SceneReference;
  /** What the networks are given for a frame. */
  conditions(motion: FrameMotion): FrameConditions;
  /** What a frame is decoded over; as in its conditions. */
  base?(motion: FrameMotion): FrameBase;
  /** Where what is decoded for a frame is looked at; as in its conditions. */
  shown?(motion: FrameMotion): PixelBox;
  /** What the motion of a frame asks of the face. */
  drivenFace(motion: FrameMotion): DrivenFace;
  /** The pixels of the picture that a clip may change where it moves the lower face alone. */
  lowerFaceMask(motion: FrameMotion, strength?: number): SoftMask;
}

/** What a frame is made of. */
export interface FrameParts<Face> {
  /** The whole picture that the frame starts from, at least as large as the frame. */
  readonly picture: RgbImage;
  readonly face: Face;
  readonly motion: FrameMotion;
  /** What the decoder gave for the frame. */
  readonly decoded: Float32Array;
  /** The pixels that may change. @defaultValue all of the face's square */
  readonly changed: SoftMask | undefined;
  /** Memory of a frame that the maker has made, if it is not needed any more. */
  readonly memory?: Uint8Array | undefined;
}

/** Makes the finished frames of one clip. */
export interface FrameMaker<Face> {
  make(parts: FrameParts<Face>): RgbImage;
  /** The part of a frame outside of which it is the picture's own; undefined if there is none. */
  placeOf(face: Face): ImageRegion | undefined;
  /** A frame that shows the picture as it is. */
  untouched(picture: RgbImage): RgbImage;
}
