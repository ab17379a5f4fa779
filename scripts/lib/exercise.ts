/** A clip in which a face does one thing after another, each from rest to its full size and back. */
import type { FaceMeasures } from './face-measures.ts';
import type { KnownMotion } from './known-motion.ts';

/** One part of the clip. */
export interface ExercisePart {
  readonly name: string;
  /** What of the face it moves. */
  readonly measure: keyof FaceMeasures;
  readonly frames: number;
  /** @param phase - 0 to 1 over the part. */
  readonly at: (phase: number) => KnownMotion;
}

/** From 0 to 1 and back. */
const bump = (phase: number): number => (1 - Math.cos(2 * Math.PI * phase)) / 2;
/** From 0 to −1, to 1 and back. */
const swing = (phase: number): number => -Math.sin(2 * Math.PI * phase);

/** The parts, in order. */
export const EXERCISE: readonly ExercisePart[] = [
  { name: 'opening, to 6 mm', measure: 'opening', frames: 24, at: (t) => ({ opening: 6 * bump(t) }) },
  { name: 'opening, to 20 mm', measure: 'opening', frames: 36, at: (t) => ({ opening: 20 * bump(t) }) },
  {
    name: 'width, −6 to 6 mm',
    measure: 'width',
    frames: 32,
    at: (t) => ({ opening: 3 * bump(t), width: 6 * swing(t) }),
  },
  { name: 'lids, closed', measure: 'lids', frames: 20, at: (t) => ({ lids: Math.min(1, 1.3 * bump(t)) }) },
  { name: 'brows, to 4 mm', measure: 'brows', frames: 20, at: (t) => ({ brows: 4 * bump(t) }) },
  { name: 'pitch, −8 to 8°', measure: 'pitch', frames: 28, at: (t) => ({ head: [8 * swing(t), 0, 0] }) },
  { name: 'yaw, −15 to 15°', measure: 'yaw', frames: 36, at: (t) => ({ head: [0, 15 * swing(t), 0] }) },
  { name: 'roll, −6 to 6°', measure: 'roll', frames: 24, at: (t) => ({ head: [0, 0, 6 * swing(t)] }) },
];

/** One frame of the clip. */
export interface ExerciseFrame {
  readonly part: ExercisePart;
  readonly motion: KnownMotion;
}

/** The whole clip. */
export function exerciseFrames(): ExerciseFrame[] {
  return EXERCISE.flatMap((part) =>
    Array.from({ length: part.frames }, (_, i) => ({ part, motion: part.at((i + 0.5) / part.frames) })),
  );
}
