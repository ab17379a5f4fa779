/**
 * What is seen of a clip, frame by frame: what the networks are told about a frame before, and how their output becomes
 * the frame after. A kind of bundle has one implementation of this and one of {@link ClipNetworks}; they fit each other.
 */
import type { RgbImage } from '../image/rgb-image.ts';

/** One frame's conditions for the networks. */
export interface FrameConditions {
  /** [C, S, S] in [−1, 1]: what the pose guider sees. */
  readonly conditions: Float32Array;
  /** [3, S, S] in [−1, 1]: the picture that the decoded difference belongs to. */
  readonly base: Float32Array;
}

/** What the reference networks see of the portrait. */
export interface SceneReference {
  /** [3, S, S] in [−1, 1]. */
  readonly picture: Float32Array;
}

/** The portrait of a clip in motion. Calls may overlap; a frame can be asked for again, with the same result. */
export interface Scene {
  /** Pixels of the video's frames, even. */
  readonly width: number;
  readonly height: number;
  readonly reference: SceneReference;
  /** Conditions of frame `frame`, counted from the clip's first. */
  conditions(frame: number): Promise<FrameConditions>;
  /**
   * The finished frame.
   *
   * @param decoded - what {@link ClipNetworks.decode} gave for it; moved away, empty afterwards.
   */
  compose(frame: number, decoded: Float32Array): Promise<RgbImage>;
}
