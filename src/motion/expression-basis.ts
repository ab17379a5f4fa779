/** From coefficients to vertices: the directions in which a face moves when it speaks and blinks. */
import { ModelError } from '../errors.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { MESH_VALUES, MESH_VERTICES } from './motion.ts';

/** Landmarks at the middle of the inner upper and lower lip. */
const UPPER_LIP = 13;
const LOWER_LIP = 14;
/** Middle of the upper and lower lid of the person's right and left eye. */
const LIDS = [
  [159, 145],
  [386, 374],
] as const;

/** Directions of motion in the metric face space, in centimetres. */
export interface ExpressionBasis {
  readonly components: number;
  /** `[components, 468, 3]`, orthonormal; moves only the lower face. */
  readonly basis: Float32Array;
  /** `[components]` standard deviation of the coefficients in speech. */
  readonly std: Float32Array;
  /** `[468, 3]` closes both eyes of an average face. */
  readonly blink: Float32Array;
  /** `[468]` share of each vertex, 0 to 1, that belongs to mouth and jaw. */
  readonly mouth: Float32Array;
  /** `[components]` change of the coefficients for each centimetre by which the inner lips open. */
  readonly opening: Float32Array;
}

/**
 * Reads the basis from a bundle's motion weights.
 *
 * @throws {@link ModelError} if an array is missing or of another size than the others.
 */
export function loadExpressionBasis(weights: WeightSource): ExpressionBasis {
  const components = weights.info('expression.basis').dims[0] ?? 0;
  const read = (name: string, length: number): Float32Array => {
    const { data } = weights.read(`expression.${name}`);
    if (data.length !== length) {
      throw new ModelError(
        `Cannot use expression.${name} of ${weights.path}: expected ${length} values, got ${data.length}`,
        weights.path,
      );
    }
    return data;
  };
  return {
    components,
    basis: read('basis', components * MESH_VALUES),
    std: read('std', components),
    blink: read('blink', MESH_VALUES),
    mouth: read('mouth', MESH_VERTICES),
    opening: read('opening', components),
  };
}

/** How strongly the parts of the motion show; 1 is natural. */
interface ExpressionScales {
  /** All motion of speech. */
  readonly expressionScale: number;
  /** Mouth and jaw, on top of `expressionScale`. */
  readonly mouthScale: number;
}

/**
 * Adds the offsets of one frame to `out`, `[468, 3]` in centimetres, in place.
 *
 * @param coefficients - one vector of the basis' length.
 */
export function addExpression(
  { components, basis, mouth }: ExpressionBasis,
  coefficients: Float32Array,
  { expressionScale, mouthScale }: ExpressionScales,
  out: Float32Array,
): void {
  const speech = new Float32Array(MESH_VALUES);
  for (let k = 0; k < components; k++) {
    const weight = coefficients[k]!;
    const row = basis.subarray(k * MESH_VALUES, (k + 1) * MESH_VALUES);
    for (let i = 0; i < MESH_VALUES; i++) speech[i]! += weight * row[i]!;
  }
  for (let vertex = 0; vertex < MESH_VERTICES; vertex++) {
    const scale = expressionScale * (1 + (mouthScale - 1) * mouth[vertex]!);
    for (let axis = 3 * vertex; axis < 3 * vertex + 3; axis++) out[axis]! += scale * speech[axis]!;
  }
}

/** Adds a blink to the offsets of one frame; `amount` 0 is open, 1 closed, for the right and the left eye. */
export function addBlink(
  { blink }: ExpressionBasis,
  [right, left]: readonly [number, number],
  out: Float32Array,
): void {
  // A vertex belongs to the eye on whose side of the face its x lies; the basis is zero around the middle.
  for (let vertex = 0; vertex < MESH_VERTICES; vertex++) {
    const amount = isRightSide(vertex) ? right : left;
    for (let axis = 3 * vertex; axis < 3 * vertex + 3; axis++) out[axis]! += amount * blink[axis]!;
  }
}

/** The topology numbers the person's right half first; landmarks from 248 on are the left half. */
function isRightSide(vertex: number): boolean {
  return vertex < 248;
}

/** How far the upper inner lip's middle is above the lower one's, in the unit of the mesh `[468, 3]`; below 0 they cross. */
export function lipGap(mesh: ArrayLike<number>): number {
  return mesh[3 * UPPER_LIP + 1]! - mesh[3 * LOWER_LIP + 1]!;
}

/** Distance of the inner lips' middles in centimetres, of a mesh `[468, 3]`. */
export function lipOpening(mesh: ArrayLike<number>): number {
  return distance(mesh, UPPER_LIP, LOWER_LIP);
}

/** How far a blink must go for each eye of a mesh `[468, 3]`, 1 being an average eye; 0.4 to 1.6. */
export function blinkReach({ blink }: ExpressionBasis, mesh: ArrayLike<number>): readonly [number, number] {
  const reach = ([upper, lower]: readonly [number, number]): number => {
    const closing = blink[3 * lower + 1]! - blink[3 * upper + 1]!;
    return Math.min(1.6, Math.max(0.4, distance(mesh, upper, lower) / closing));
  };
  return [reach(LIDS[0]), reach(LIDS[1])];
}

function distance(mesh: ArrayLike<number>, a: number, b: number): number {
  return Math.hypot(
    mesh[3 * a]! - mesh[3 * b]!,
    mesh[3 * a + 1]! - mesh[3 * b + 1]!,
    mesh[3 * a + 2]! - mesh[3 * b + 2]!,
  );
}
