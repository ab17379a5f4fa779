/** The mouth's motion in a clip, frame by frame, made in parts so that memory does not grow with the clip. */
import { type ExpressionBasis, lipOpening } from './expression-basis.ts';
import { generateMotion } from './generate-motion.ts';
import { MESH_VALUES, type MotionSequence, POSE_VALUES } from './motion.ts';
import type { MotionConfig } from './motion-config.ts';
import type { FrameMotion, MotionSource } from './motion-source.ts';
import type { MotionNetwork } from './predict-expression.ts';
import { SPEAKING_STYLES, type SpeakingStyle } from './speaking-style.ts';

/** Frames that are made at once. */
const PART_FRAMES = 240;
/**
 * Share by which a portrait's open mouth is closed before it speaks: a smile keeps a trace of its teeth, of so many cm at most, which a mouth
 * that is wide open would exceed.
 */
const CLOSE_MOUTH = 0.9;
const TRACE = 0.06;

/** How much a face moves, as the user chose it; the options of the same names say what they mean. */
export interface MotionScales {
  readonly seed: number;
  readonly expressionScale: number;
  readonly mouthScale: number;
  readonly headPoseScale: number;
  readonly blinkScale: number;
  /** Keeps the head where it is in the portrait. */
  readonly still: boolean;
  readonly style: SpeakingStyle;
  /** As {@link parseEmotions} reads it. */
  readonly emotion?: string | undefined;
  readonly faceMotion: FaceMotionSource;
}

/** Where head, brows and lids come from: the bundle's own networks, where it has some, or always living-motion.ts. */
export const FACE_MOTION_SOURCES = ['bundle', 'generated'] as const;
/** One of {@link FACE_MOTION_SOURCES}. */
type FaceMotionSource = (typeof FACE_MOTION_SOURCES)[number];

/** What {@link ClipMotion} is made of. */
export interface ClipMotionOptions {
  readonly network: MotionNetwork;
  readonly config: MotionConfig;
  readonly basis: ExpressionBasis;
  /** Mono speech, 16 kHz. */
  readonly pcm: Float32Array;
  readonly fps: number;
  /** Of the whole clip. */
  readonly frames: number;
  /** [468, 3] in cm, of the portrait. */
  readonly mesh: ArrayLike<number>;
  readonly scales: Pick<MotionScales, 'expressionScale' | 'mouthScale' | 'style'>;
  readonly signal?: AbortSignal | undefined;
}

/** Gives frames in any order near to each other; goes back at most one part. */
export class ClipMotion implements MotionSource {
  readonly #options: ClipMotionOptions;
  readonly #parts = new Map<number, Promise<MotionSequence>>();

  constructor(options: ClipMotionOptions) {
    this.#options = options;
  }

  /** Motion of frame `frame`, counted from the clip's first. */
  async at(frame: number): Promise<FrameMotion> {
    const index = Math.floor(frame / PART_FRAMES);
    const part = await this.#part(index);
    const i = frame - index * PART_FRAMES;
    return {
      offsets: part.offsets.subarray(i * MESH_VALUES, (i + 1) * MESH_VALUES),
      pose: part.pose.subarray(i * POSE_VALUES, (i + 1) * POSE_VALUES),
    };
  }

  #part(index: number): Promise<MotionSequence> {
    let part = this.#parts.get(index);
    if (part === undefined) {
      const { network, config, basis, pcm, fps, frames, mesh, scales, signal } = this.#options;
      const firstFrame = index * PART_FRAMES;
      part = generateMotion({
        network,
        config,
        basis,
        pcm,
        fps,
        firstFrame,
        frames: Math.min(PART_FRAMES, frames - firstFrame),
        mesh,
        signal,
        expressionScale: scales.expressionScale,
        lipScale: SPEAKING_STYLES[scales.style].lips,
        mouthScale: scales.mouthScale,
        closeMouth: Math.max(CLOSE_MOUTH, 1 - TRACE / Math.max(TRACE, lipOpening(mesh))),
      });
      this.#parts.set(index, part);
      this.#parts.delete(index - 2);
    }
    return part;
  }
}
