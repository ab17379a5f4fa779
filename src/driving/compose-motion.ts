/** Motion whose parts come from different sources. */
import { type FaceParts, faceParts } from '../motion/face-regions.ts';
import { MESH_VALUES } from '../motion/motion.ts';
import type { FrameMotion, MotionSource } from '../motion/motion-source.ts';
import type { MotionPart } from './motion-parts.ts';

/**
 * Takes `parts` from one source and all else from another; at the borders of the parts one fades into the other.
 *
 * @param mesh - [468, 3] cm, of the portrait.
 */
export function composeMotion(
  driven: MotionSource,
  others: MotionSource,
  { parts, mesh }: { readonly parts: readonly MotionPart[]; readonly mesh: ArrayLike<number> },
): MotionSource {
  const faces: FaceParts = faceParts(mesh);
  const taken = new Set(parts);
  const share = Float32Array.from(
    faces.mouth,
    (mouth, vertex) =>
      (taken.has('mouth') ? mouth : 0) +
      (taken.has('eyes') ? faces.eyes[vertex]! : 0) +
      (taken.has('brows') ? faces.brows[vertex]! : 0),
  );
  return {
    at: async (frame): Promise<FrameMotion> => {
      const [a, b] = await Promise.all([driven.at(frame), others.at(frame)]);
      const offsets = new Float32Array(MESH_VALUES);
      for (let i = 0; i < MESH_VALUES; i++) {
        offsets[i] = b.offsets[i]! + share[Math.floor(i / 3)]! * (a.offsets[i]! - b.offsets[i]!);
      }
      return { offsets, pose: taken.has('head') ? a.pose : b.pose };
    },
  };
}
