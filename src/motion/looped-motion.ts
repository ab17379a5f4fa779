/** Motion whose end leads back to its beginning, so that a clip can be shown again and again. */
import { smoothstep } from './gesture-shapes.ts';
import type { FrameMotion, MotionSource } from './motion-source.ts';

/** Seconds in which the beginning goes over from what follows the end; head and eyes are slow. */
const HEAD_SECONDS = 1.2;
/** Speech begins soon, and must be seen: the mouth has less time. */
const SPEAKING_SECONDS = 0.3;

/** Seconds of motion beyond the clip's end that a {@link LoopedMotion} asks for. */
export const LOOP_SECONDS = HEAD_SECONDS;

/** Options of {@link LoopedMotion}. */
interface LoopedMotionOptions {
  /** Answers for {@link LOOP_SECONDS} more than the clip. */
  readonly source: MotionSource;
  /** Of the clip. */
  readonly frames: number;
  readonly fps: number;
  /** Whether the mouth speaks. */
  readonly speaks: boolean;
}

/**
 * A clip that begins as it would go on: the first frames are mixed with those that would follow the last, from all of these
 * to none. Position and speed are the same at both ends, and nothing but the first second differs from the source.
 */
export class LoopedMotion implements MotionSource {
  readonly #options: LoopedMotionOptions;

  constructor(options: LoopedMotionOptions) {
    this.#options = options;
  }

  /** Motion of frame `frame`, counted from the clip's first; beyond the last, the first follows. */
  async at(frame: number): Promise<FrameMotion> {
    const { source, frames, fps, speaks } = this.#options;
    const index = frame % frames;
    const length = frames / fps;
    const share = (seconds: number): number => smoothstep(index / fps / Math.min(seconds, length / 2));
    const head = share(HEAD_SECONDS);
    const face = speaks ? share(SPEAKING_SECONDS) : head;
    const own = await source.at(index);
    if (head >= 1 && face >= 1) return own;
    const following = await source.at(index + frames);
    const { gaze } = own;
    return {
      offsets: mix(following.offsets, own.offsets, face),
      pose: mix(following.pose, own.pose, head),
      ...(gaze !== undefined && {
        gaze: gaze.map((angle, axis) => {
          const other = following.gaze?.[axis] ?? 0;
          return other + head * (angle - other);
        }) as [number, number],
      }),
    };
  }
}

function mix(from: Float32Array, to: Float32Array, share: number): Float32Array {
  return from.map((value, i) => value + share * (to[i]! - value));
}
