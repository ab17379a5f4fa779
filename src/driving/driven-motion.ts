/** The motion of a clip that speech, recordings, or both of them make. */
import type { MotionSource } from '../motion/motion-source.ts';
import type { RecordedMotion } from '../motion/recorded-motion.ts';
import { composeMotion } from './compose-motion.ts';
import type { DrivingMode } from './driving-modes.ts';
import { MOTION_PARTS, type MotionPart } from './motion-parts.ts';
import { RecordedSource, type RecordedSourceOptions } from './recorded-source.ts';

/** What {@link drivenMotion} is made of. */
interface DrivenMotionOptions extends Pick<RecordedSourceOptions, 'fps' | 'mesh' | 'transform' | 'scales'> {
  /** A recording and what of the portrait it moves. */
  readonly face?: {
    readonly recording: RecordedMotion;
    readonly parts: readonly MotionPart[];
    readonly mode: DrivingMode;
  };
  /** What moves the head, whatever else does. */
  readonly head?: RecordedMotion;
  /** Makes the speech's motion; called only where something is left for it to move. */
  readonly speech: () => Promise<MotionSource>;
}

/** Puts the sources of a clip's motion together. */
export async function drivenMotion({
  face,
  head,
  speech,
  ...portrait
}: DrivenMotionOptions): Promise<MotionSource> {
  const { mesh } = portrait;
  let motion: MotionSource | undefined;
  if (face !== undefined) {
    const { recording, mode, parts } = face;
    const driven = new RecordedSource({ ...portrait, recording, mode });
    const all = MOTION_PARTS.every((part) => parts.includes(part) || (part === 'head' && head !== undefined));
    motion = all ? driven : composeMotion(driven, await speech(), { parts, mesh });
  }
  motion ??= await speech();
  if (head === undefined) return motion;
  const headSource = new RecordedSource({ ...portrait, recording: head, mode: 'relative' });
  return composeMotion(headSource, motion, { parts: ['head'], mesh });
}
