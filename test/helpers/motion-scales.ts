/** The motion options that a clip has without any. */
import type { MotionScales } from '../../src/motion/speech-clip-motion.ts';

export const DEFAULT_SCALES = {
  seed: 1,
  expressionScale: 1,
  mouthScale: 1,
  headPoseScale: 1,
  blinkScale: 1,
  still: false,
  style: 'natural',
  faceMotion: 'bundle',
} as const satisfies MotionScales;
