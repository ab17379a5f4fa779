/** What drives a portrait: for every frame, how its face changes shape and how its head moves. */

/** Values of one head pose: Euler angles about x, y and z in degrees, then the translation in centimetres. */
export const POSE_VALUES = 6;
/** Vertices of the face mesh. */
export const MESH_VERTICES = 468;
/** Coordinates of all vertices of the face mesh. */
export const MESH_VALUES = MESH_VERTICES * 3;

/** Motion of a clip, relative to the portrait's own mesh and pose. */
export interface MotionSequence {
  /** Frames per second. */
  readonly fps: number;
  readonly frames: number;
  /** `[frames, 468, 3]` in centimetres, added to the portrait's metric mesh. */
  readonly offsets: Float32Array;
  /** `[frames, 6]`: rotation about x, y, z in degrees (x first), translation in centimetres. */
  readonly pose: Float32Array;
}
