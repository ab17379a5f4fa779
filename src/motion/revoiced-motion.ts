/** The motion of a film's face that gets another voice: what its lower face did is taken out, what the new voice does put in. */
import { MESH_STEP, type MeshSequence } from './mesh-sequence.ts';
import { MESH_VALUES, MESH_VERTICES, POSE_VALUES } from './motion.ts';
import type { FrameMotion, MotionSource } from './motion-source.ts';

/** Tip of the nose and middle of the upper lip's edge: above the one, nothing is changed; from the other down, everything. */
const NOSE_TIP = 1;
const UPPER_LIP = 0;

/** Options of {@link RevoicedMotion}. */
interface RevoicedMotionOptions {
  /** Motion of the new voice, made for the face at rest. */
  readonly speech: MotionSource;
  /** What the face did, in cm in its own space. */
  readonly meshes: MeshSequence;
  /** [468, 3] cm: the face at rest. */
  readonly rest: ArrayLike<number>;
  /** The film's frame that a frame of the clip shows. */
  readonly filmFrame: (frame: number) => number;
  /** How much of it is exchanged there, 0 to 1. */
  readonly strength: (filmFrame: number) => number;
}

/** Offsets belong to each frame's own mesh; the head stays where the film has it. */
export class RevoicedMotion implements MotionSource {
  readonly #options: RevoicedMotionOptions;
  readonly #shares: Float32Array;

  constructor(options: RevoicedMotionOptions) {
    this.#options = options;
    this.#shares = lowerFaceShares(options.rest);
  }

  async at(frame: number): Promise<FrameMotion> {
    const { speech, meshes, rest, filmFrame, strength } = this.#options;
    const shown = filmFrame(frame);
    const { offsets: spoken } = await speech.at(frame);
    const units = meshes.units(shown);
    const amount = strength(shown);
    const offsets = new Float32Array(MESH_VALUES);
    for (let i = 0; i < MESH_VALUES; i++) {
      const exchanged = rest[i]! - units[i]! * MESH_STEP + spoken[i]!;
      offsets[i] = amount * this.#shares[Math.floor(i / 3)]! * exchanged;
    }
    return { offsets, pose: new Float32Array(POSE_VALUES) };
  }
}

/** [468]: 0 from the tip of the nose upwards, 1 from the upper lip downwards, of a mesh [468, 3]. */
export function lowerFaceShares(mesh: ArrayLike<number>): Float32Array {
  const top = mesh[3 * NOSE_TIP + 1]!;
  const bottom = mesh[3 * UPPER_LIP + 1]!;
  return Float32Array.from({ length: MESH_VERTICES }, (_, vertex) => {
    const t = Math.min(1, Math.max(0, (top - mesh[3 * vertex + 1]!) / (top - bottom)));
    return t * t * (3 - 2 * t);
  });
}
