/**
 * Directions in which a face can move, made from where its own landmarks are: fields of offsets that are strongest at
 * some points and fade smoothly around them.
 */
import { MESH_VALUES, MESH_VERTICES } from './motion.ts';

/** [468, 3] in centimetres: offsets of a mesh. */
export type FaceField = Float32Array;

/** A point that is moved, with what is around it. */
interface FieldPoint {
  /** Landmark at its centre. */
  readonly landmark: number;
  /** In centimetres: to the person's left, up, towards the camera. */
  readonly move: readonly [x: number, y: number, z: number];
  /** Centimetres from the centre at which 37 % of the move are left: across, up and down. */
  readonly reach: readonly [x: number, y: number];
}

/** Sum of the moves of `points` at every vertex of `mesh` [468, 3] in centimetres. */
export function fieldOf(mesh: ArrayLike<number>, points: readonly FieldPoint[]): FaceField {
  const field = new Float32Array(MESH_VALUES);
  for (const { landmark, move, reach } of points) {
    for (let vertex = 0; vertex < MESH_VERTICES; vertex++) {
      const x = (mesh[3 * vertex]! - mesh[3 * landmark]!) / reach[0];
      const y = (mesh[3 * vertex + 1]! - mesh[3 * landmark + 1]!) / reach[1];
      const share = Math.exp(-(x * x + y * y));
      for (let axis = 0; axis < 3; axis++) field[3 * vertex + axis]! += share * move[axis]!;
    }
  }
  return field;
}

/** Adds `amount` times a field to `out`, in place. */
export function addField(field: FaceField, amount: number, out: Float32Array): void {
  if (amount === 0) return;
  for (let i = 0; i < MESH_VALUES; i++) out[i]! += amount * field[i]!;
}
