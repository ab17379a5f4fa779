/** What a bundle's networks are given of a clip: pictures of the portrait, and the conditions of each frame. */

/** One frame's conditions for the networks. */
export interface FrameConditions {
  /** [C, S, S]: what the pose guider sees. */
  readonly conditions: Float32Array;
  /**
   * [3, S, S] in [−1, 1]: the picture that a decoded difference belongs to, where the networks decode one; a view of
   * part of the conditions.
   */
  readonly base?: Float32Array;
}

/** What the reference networks see of the portrait. */
export interface SceneReference {
  /** [3, S, S] in [−1, 1]. */
  readonly picture: Float32Array;
  /** [3, E, E], as the image encoder takes it, where there is one. */
  readonly encoderPicture?: Float32Array;
}
