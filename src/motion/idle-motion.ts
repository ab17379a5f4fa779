/** Motion of somebody who says nothing: breath, blinks, glances and a little sway, with the mouth closed. */
import { LivingMotion, type LivingMotionOptions } from './living-motion.ts';
import { MESH_VALUES, POSE_VALUES } from './motion.ts';
import type { MotionSource } from './motion-source.ts';

/** A face that does not move at all. */
export const STILL_MOTION: MotionSource = {
  at: async () => ({ offsets: new Float32Array(MESH_VALUES), pose: new Float32Array(POSE_VALUES) }),
};

/** Options of {@link createIdleMotion}. */
type IdleMotionOptions = Omit<LivingMotionOptions, 'source' | 'pcm' | 'sampleRate' | 'generates'>;

/** An idle clip of any length. */
export function createIdleMotion(options: IdleMotionOptions): MotionSource {
  return new LivingMotion({
    ...options,
    source: STILL_MOTION,
    pcm: new Float32Array(0),
    sampleRate: 16_000,
  });
}
