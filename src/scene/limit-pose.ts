/** How far a still can be turned: beyond, its far cheek and the hair behind would have to be made up. */
import type { FrameMotion } from '../motion/motion-source.ts';

/**
 * Turns about x, y and z in degrees up to which a pose is followed, and which none passes. To the side, faces hold to 20° and beyond;
 * from 16° on the ear that comes to the front is stretched, and jewellery with it, so that turns are slowed down there: 20° become 19.7°.
 */
const FREE = [15, 16, 20] as const;
const LIMIT = [22, 24, 30] as const;

/** `angle` as it is up to `free`; beyond, slower and slower towards `limit`, without a kink. */
function softLimit(angle: number, free: number, limit: number): number {
  const size = Math.abs(angle);
  if (size <= free) return angle;
  const room = limit - free;
  return Math.sign(angle) * (free + room * Math.tanh((size - free) / room));
}

/** The motion with a head that turns no further than a warped still holds; itself where nothing is to be limited. */
export function limitPose(motion: FrameMotion): FrameMotion {
  if (FREE.every((free, axis) => Math.abs(motion.pose[axis]!) <= free)) return motion;
  const pose = Float32Array.from(motion.pose);
  for (const [axis, free] of FREE.entries()) pose[axis] = softLimit(pose[axis]!, free, LIMIT[axis]!);
  return { ...motion, pose };
}
