/** Head poses of a recording as motion about a portrait's own pose. */
import { matrixToPose, multiplyMatrices, poseToMatrix } from '../face/rotation.ts';
import { POSE_VALUES } from '../motion/motion.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';

/**
 * How far a head is moved at most from the portrait's place: cm to the side, up, and towards the camera. The last quarter of
 * the way is slowed down. How far it may turn is the scene's to say.
 */
export const PLACE_LIMITS: readonly number[] = [3, 3, 5];
const FREE_SHARE = 0.75;
/** Seconds to each side whose mean place counts as where the person sits: who walks or leans takes the head's place along. */
const PLACE_REACH = 4;

/** `value`, slowed down from three quarters of `limit` on so that it never gets beyond it. */
export function softLimit(value: number, limit: number): number {
  const free = FREE_SHARE * limit;
  const size = Math.abs(value);
  if (size <= free) return value;
  return Math.sign(value) * (free + (limit - free) * Math.tanh((size - free) / (limit - free)));
}

/** Poses [frames, 6] relative to the recording's pose at rest, in the face's own space. */
export function posesFromRest({ frames, poses, rest }: RecordedMotion): Float32Array {
  const inverse = invertRigid(poseToMatrix(rest.pose));
  const relative = new Float32Array(frames * POSE_VALUES);
  for (let frame = 0; frame < frames; frame++) {
    const pose = poses.subarray(frame * POSE_VALUES, (frame + 1) * POSE_VALUES);
    relative.set(matrixToPose(multiplyMatrices(inverse, poseToMatrix(pose))), frame * POSE_VALUES);
  }
  return relative;
}

/**
 * The same poses fit to follow any portrait's own: the place where the person sits is taken out, and moves are held within
 * {@link PLACE_LIMITS}.
 */
export function relativePoses(recording: RecordedMotion): Float32Array {
  const { frames, fps } = recording;
  const relative = posesFromRest(recording);
  const reach = Math.round(PLACE_REACH * fps);
  const out = relative.slice();
  for (const [i, limit] of PLACE_LIMITS.entries()) {
    const at = (frame: number): number => relative[frame * POSE_VALUES + 3 + i]!;
    let [from, to, sum] = [0, 0, 0];
    for (let frame = 0; frame < frames; frame++) {
      for (; to < Math.min(frames, frame + reach + 1); to++) sum += at(to);
      for (; from < frame - reach; from++) sum -= at(from);
      out[frame * POSE_VALUES + 3 + i] = softLimit(at(frame) - sum / (to - from), limit);
    }
  }
  return out;
}

/** The map that leads back, of a rotation with a translation. */
export function invertRigid(m: ArrayLike<number>): Float64Array {
  const out = new Float64Array(16);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) {
      out[row * 4 + column] = m[column * 4 + row]!;
      out[row * 4 + 3]! -= m[column * 4 + row]! * m[column * 4 + 3]!;
    }
  }
  out[15] = 1;
  return out;
}
