/** What a bundle's networks are given of a clip: pictures of the portrait, and the conditions of each frame. */

/** Pixels of the square that the networks see: from `left` and `top` to before `right` and `bottom`. */
export interface PixelBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** One frame's conditions for the networks. */
export interface FrameConditions {
  /** [C, S, S]: what the pose guider sees. */
  readonly conditions: Float32Array;
  /**
   * [3, S, S] in [−1, 1]: the picture that a decoded difference belongs to, where the networks decode one; a view of
   * part of the conditions.
   */
  readonly base?: Float32Array;
  /** Where the decoded difference is looked at. @defaultValue everywhere */
  readonly shown?: PixelBox;
}

/** What the reference networks see of the portrait. */
export interface SceneReference {
  /** [3, S, S] in [−1, 1]. */
  readonly picture: Float32Array;
  /** [3, E, E], as the image encoder takes it, where there is one. */
  readonly encoderPicture?: Float32Array;
}
