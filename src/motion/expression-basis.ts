/** From coefficients to vertices: the directions in which a face moves when it speaks. */
import { ModelError } from '../errors.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import { MESH_VALUES, MESH_VERTICES } from './motion.ts';

/** Landmarks at the middle of the inner upper and lower lip. */
const UPPER_LIP = 13;
const LOWER_LIP = 14;
/** Directions of motion in the metric face space, in centimetres. */
export interface ExpressionBasis {
  readonly components: number;
  /** `[components, 468, 3]`, orthonormal; moves only the lower face. */
  readonly basis: Float32Array;
  /** `[components]` standard deviation of the coefficients in speech. */
  readonly std: Float32Array;
  /** `[468, 3]` closes both eyes of an average filmed face; what recordings of blinks are taken apart with. */
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

/** How far the upper inner lip's middle is above the lower one's, in the unit of the mesh `[468, 3]`; below 0 they cross. */
export function lipGap(mesh: ArrayLike<number>): number {
  return mesh[3 * UPPER_LIP + 1]! - mesh[3 * LOWER_LIP + 1]!;
}

/** The same of the offsets that vectors of the basis, `[count, components]`, stand for: `[count]` in centimetres. */
export function coefficientGaps({ components, basis }: ExpressionBasis, vectors: Float32Array): Float32Array {
  const gaps = Float64Array.from({ length: components }, (_, k) =>
    lipGap(basis.subarray(k * MESH_VALUES, (k + 1) * MESH_VALUES)),
  );
  return Float32Array.from({ length: vectors.length / components }, (_, i) =>
    gaps.reduce((sum, gap, k) => sum + gap * vectors[i * components + k]!, 0),
  );
}

/** Distance of the inner lips' middles in centimetres, of a mesh `[468, 3]`. */
export function lipOpening(mesh: ArrayLike<number>): number {
  return distance(mesh, UPPER_LIP, LOWER_LIP);
}

function distance(mesh: ArrayLike<number>, a: number, b: number): number {
  return Math.hypot(
    mesh[3 * a]! - mesh[3 * b]!,
    mesh[3 * a + 1]! - mesh[3 * b + 1]!,
    mesh[3 * a + 2]! - mesh[3 * b + 2]!,
  );
}
