/** The one way in which motion enters a scene: frame by frame, from speech or from anything else that moves a face. */

/** The motion of one frame. */
export interface FrameMotion {
  /** [468, 3] in cm, added to the portrait's mesh. */
  readonly offsets: Float32Array;
  /** [6]: degrees about x, y, z; cm. */
  readonly pose: Float32Array;
  /** Turn of the eyes in the head, in degrees: to the person's left, and down. @defaultValue as in the portrait */
  readonly gaze?: readonly [yaw: number, pitch: number];
}

/** The motion of a clip. */
export interface MotionSource {
  /** Motion of frame `frame`, counted from the clip's first. */
  at(frame: number): Promise<FrameMotion>;
}
