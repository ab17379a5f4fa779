/** Recorded motion as a clip's: at any frame rate, played back and forth, fitted to the portrait. */
import { matrixToPose, movingAverage, multiplyMatrices, poseToMatrix } from '../face/rotation.ts';
import { MESH_VALUES, POSE_VALUES } from '../motion/motion.ts';
import type { FrameMotion, MotionSource } from '../motion/motion-source.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { sampleCurve } from '../motion/resample-curve.ts';
import { backAndForth } from './back-and-forth.ts';
import type { DrivingMode } from './driving-modes.ts';
import { invertRigid, posesFromRest, relativePoses } from './relative-pose.ts';
import { Retargeter, type RetargetScales } from './retarget.ts';

/** What {@link RecordedSource} is made of. */
export interface RecordedSourceOptions {
  readonly recording: RecordedMotion;
  readonly mode: DrivingMode;
  /** Of the clip. */
  readonly fps: number;
  /** [468, 3] cm, of the portrait. */
  readonly mesh: ArrayLike<number>;
  /** Row-major 4×4, from the portrait's face to its camera. */
  readonly transform: ArrayLike<number>;
  /** Strengths; of the head 0 keeps it still. */
  readonly scales: RetargetScales & { readonly headPoseScale: number };
}

/** Width in frames of the moving average that AniPortrait takes of a film's poses. */
const ABSOLUTE_SMOOTHING = 3;

/** Frames can be asked for in any order, at the same cost. */
export class RecordedSource implements MotionSource {
  readonly #options: RecordedSourceOptions;
  readonly #poses: Float32Array;
  readonly #toOffsets: (mesh: Float32Array, out: Float32Array) => void;

  constructor(options: RecordedSourceOptions) {
    this.#options = options;
    const { recording, mode, mesh, transform, scales } = options;
    const { meshes, rest } = recording;
    if (mode === 'relative') this.#poses = relativePoses(recording);
    // A template of the head alone is relative by itself.
    else this.#poses = meshes === null ? posesFromRest(recording) : absolutePoses(recording, transform);
    if (meshes === null || rest.mesh === null) {
      this.#toOffsets = (_, out) => void out.fill(0);
    } else if (mode === 'relative') {
      const retargeter = new Retargeter(meshes, rest.mesh, mesh, scales);
      this.#toOffsets = (frameMesh, out) => retargeter.offsets(frameMesh, out);
    } else {
      const neutral = new Float32Array(MESH_VALUES);
      meshes.read(rest.frame, neutral);
      this.#toOffsets = (frameMesh, out) => {
        for (let i = 0; i < MESH_VALUES; i++) {
          out[i] = scales.expressionScale * (frameMesh[i]! - neutral[i]!);
        }
      };
    }
  }

  /** Motion of frame `frame` of the clip. */
  async at(frame: number): Promise<FrameMotion> {
    const { recording, fps, scales, mode } = this.#options;
    const position = backAndForth((frame * recording.fps) / fps, recording.frames);
    const pose = new Float32Array(POSE_VALUES);
    sampleCurve(this.#poses, position, pose);
    const offsets = new Float32Array(MESH_VALUES);
    if (recording.meshes !== null) this.#toOffsets(this.#meshAt(position), offsets);
    // An absolute pose has no rest that it could be near to: it is taken, or left.
    const scale = mode === 'relative' ? scales.headPoseScale : Math.sign(scales.headPoseScale);
    return { offsets, pose: pose.map((value) => value * scale) };
  }

  /** The recorded mesh between frames. */
  #meshAt(position: number): Float32Array {
    const { meshes } = this.#options.recording;
    const mesh = new Float32Array(MESH_VALUES);
    const index = Math.round(position);
    if (Math.abs(position - index) < 1e-6) {
      meshes!.read(index, mesh);
      return mesh;
    }
    const last = meshes!.frames - 1;
    const first = Math.max(0, Math.floor(position) - 1);
    const count = Math.min(last, Math.floor(position) + 2) - first + 1;
    const rows = new Float32Array(count * MESH_VALUES);
    for (let i = 0; i < count; i++) {
      meshes!.read(first + i, rows.subarray(i * MESH_VALUES, (i + 1) * MESH_VALUES));
    }
    sampleCurve(rows, position - first, mesh);
    return mesh;
  }
}

/**
 * Poses [frames, 6] that, applied to the portrait's face before its own transform, turn it as the film's is turned: rotation
 * of the film, translation relative to its first frame, a moving average over three frames.
 *
 * Source: AniPortrait, `vid2vid.py`, commit 7f6593f.
 */
function absolutePoses({ frames, poses }: RecordedMotion, transform: ArrayLike<number>): Float32Array {
  const own = matrixToPose(transform);
  const moved = Float64Array.from(poses, (value, i) => {
    const axis = i % POSE_VALUES;
    return axis < 3 ? value : value - poses[axis]! + own[axis]!;
  });
  const smooth = movingAverage(moved, POSE_VALUES, ABSOLUTE_SMOOTHING);
  const inverse = invertRigid(transform);
  const out = new Float32Array(frames * POSE_VALUES);
  for (let frame = 0; frame < frames; frame++) {
    const pose = smooth.subarray(frame * POSE_VALUES, (frame + 1) * POSE_VALUES);
    out.set(matrixToPose(multiplyMatrices(inverse, poseToMatrix(pose))), frame * POSE_VALUES);
  }
  return out;
}
