/** Motion that was filmed, or that a file holds: what a face did, frame by frame, and how it looks at rest. */
import type { MeshSequence } from './mesh-sequence.ts';

/** A face at rest: lips closed, eyes open, brows where they usually are. */
export interface RestingFace {
  /** Number of the frame that is nearest to rest. */
  readonly frame: number;
  /** [6]: the usual pose, degrees about x, y, z and cm, from the face's space to the camera's. */
  readonly pose: Float32Array;
  /** [468, 3] cm, in the face's own space; null where the head alone was recorded. */
  readonly mesh: Float32Array | null;
}

/** Where a recording is from. */
export interface MotionOrigin {
  /** Name of the film's file, without its folder. */
  readonly name: string;
  /** SHA-256 of the film, in hexadecimal; null where there is none to name. */
  readonly sha256: string | null;
}

/** A recording; frame `i` is at `i / fps` seconds. */
export interface RecordedMotion {
  readonly fps: number;
  readonly frames: number;
  /** [frames, 6]: degrees about x, y, z and cm, from the face's space to the camera's. */
  readonly poses: Float32Array;
  /** Meshes in cm in the face's own space, without the pose; null where the head alone was recorded. */
  readonly meshes: MeshSequence | null;
  readonly rest: RestingFace;
  readonly origin: MotionOrigin;
}
