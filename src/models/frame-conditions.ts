/** What a bundle's networks are given of a clip: pictures of the portrait, and the conditions of each frame. */
import type { SeenPicture } from '../image/planar.ts';

/** Pixels of the square that the networks see: from `left` and `top` to before `right` and `bottom`. */
export interface PixelBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What one frame is decoded over, where the networks decode a difference. */
export interface FrameBase {
  /** S × S pixels of three bytes: the picture that the difference belongs to, seen as {@link SeenPicture} is. */
  readonly base?: Uint8Array;
  /** Where the difference is looked at. @defaultValue everywhere */
  readonly shown?: PixelBox;
}

/** One frame's conditions for the networks. */
export interface FrameConditions extends FrameBase {
  /** [C, S, S]: what the pose guider sees; pictures are a quarter of the memory, and seen one behind the other. */
  readonly conditions: Float32Array | readonly SeenPicture[];
}

/** What the reference networks see of the portrait. */
export interface SceneReference {
  /** [3, S, S] in [−1, 1]. */
  readonly picture: Float32Array;
  /** [3, E, E], as the image encoder takes it, where there is one. */
  readonly encoderPicture?: Float32Array;
}
