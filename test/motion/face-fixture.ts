/** Meshes of faces for tests of motion. */
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';

/** The canonical face, [468, 3] in centimetres. */
export const CANONICAL = loadFaceMesh().vertices;

/** Landmarks from the outer to the inner corner of both eyes' lids: the upper one and the lower one. */
export const LIDS = [
  {
    upper: [246, 161, 160, 159, 158, 157, 173],
    lower: [7, 163, 144, 145, 153, 154, 155],
    corners: [33, 133],
  },
  {
    upper: [466, 388, 387, 386, 385, 384, 398],
    lower: [249, 390, 373, 374, 380, 381, 382],
    corners: [263, 362],
  },
] as const;

/** `mesh` with eyes open by `share` of what they were. */
export function withEyes(mesh: ArrayLike<number>, share: number): Float64Array {
  const out = Float64Array.from(mesh);
  for (const { upper, lower } of LIDS) {
    upper.forEach((vertex, i) => {
      for (let axis = 0; axis < 3; axis++) {
        const below = mesh[3 * lower[i]! + axis]!;
        out[3 * vertex + axis] = below + share * (mesh[3 * vertex + axis]! - below);
      }
    });
  }
  return out;
}

/** `mesh` moved by the offsets of a frame. */
export function moved(mesh: ArrayLike<number>, offsets: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: MESH_VALUES }, (_, i) => mesh[i]! + offsets[i]!);
}

export function distance(mesh: ArrayLike<number>, a: number, b: number): number {
  return Math.hypot(...[0, 1, 2].map((axis) => mesh[3 * a + axis]! - mesh[3 * b + axis]!));
}
