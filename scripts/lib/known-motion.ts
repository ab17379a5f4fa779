/** Motion of known size, to drive a portrait with: what a picture shows of it can then be measured against it. */

import {
  addBlink,
  addExpression,
  blinkReach,
  type ExpressionBasis,
} from '../../src/motion/expression-basis.ts';
import { MESH_VALUES, MESH_VERTICES, POSE_VALUES } from '../../src/motion/motion.ts';

/** The corners of the mouth, the right one of the person first. */
const MOUTH_CORNERS = [61, 291] as const;
/** The middles of the inner lips. */
const [UPPER_LIP, LOWER_LIP] = [13, 14];
/** Landmarks along both brows. */
const BROWS: readonly number[] = [
  70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
];
/** A brow lifts what is this near to it, in cm: the forehead far, what is beneath it hardly. */
const BROW_REACH = { above: 2, below: 0.55 } as const;
/** Inner lips of a closed mouth are this far apart in the landmarks, in cm. */
const CLOSED_LIPS = 0.04;

/** What a face does in one frame. */
export interface KnownMotion {
  /** Distance of the inner lips in mm. */
  readonly opening?: number;
  /** By how much the mouth is wider than the portrait's, in mm. */
  readonly width?: number;
  /** Closure of the lids, 0 as in the portrait to 1 closed. */
  readonly lids?: number;
  /** By how much the brows are raised, in mm. */
  readonly brows?: number;
  /** Turns about x (down), y (to the picture's right) and z, in degrees. */
  readonly head?: readonly [pitch: number, yaw: number, roll: number];
}

/** Change of coefficients that moves `measure` by 1 and `fixed` not at all, as little as speech's deviations allow. */
function direction(
  { components, basis, std }: ExpressionBasis,
  measure: (row: Float32Array) => number,
  fixed: (row: Float32Array) => number,
): Float32Array {
  const rows = Array.from({ length: components }, (_, k) =>
    basis.subarray(k * MESH_VALUES, (k + 1) * MESH_VALUES),
  );
  const wanted = rows.map((row, k) => measure(row) * std[k]!);
  const still = rows.map((row, k) => fixed(row) * std[k]!);
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  const share = dot(wanted, still) / dot(still, still);
  const free = wanted.map((value, k) => value - share * still[k]!);
  const size = dot(free, wanted);
  return Float32Array.from(free, (value, k) => (value * std[k]!) / size);
}

/** Offsets and poses that show motion of known size on one mesh. */
export class KnownMotions {
  readonly #mesh: ArrayLike<number>;
  readonly #basis: ExpressionBasis;
  readonly #widening: Float32Array;
  readonly #browShares: Float32Array;

  /** @param mesh - the portrait's, [468, 3] in cm. */
  constructor(mesh: ArrayLike<number>, basis: ExpressionBasis) {
    this.#mesh = mesh;
    this.#basis = basis;
    const gap = (row: Float32Array): number => row[3 * UPPER_LIP + 1]! - row[3 * LOWER_LIP + 1]!;
    const width = (row: Float32Array): number => row[3 * MOUTH_CORNERS[1]]! - row[3 * MOUTH_CORNERS[0]]!;
    this.#widening = direction(basis, width, gap);
    this.#browShares = Float32Array.from({ length: MESH_VERTICES }, (_, vertex) => {
      const nearest = Math.min(
        ...BROWS.map((brow) => {
          const dy = mesh[3 * vertex + 1]! - mesh[3 * brow + 1]!;
          const dx = mesh[3 * vertex]! - mesh[3 * brow]!;
          return Math.hypot(dx / BROW_REACH.above, dy / (dy > 0 ? BROW_REACH.above : BROW_REACH.below));
        }),
      );
      const t = Math.max(0, 1 - nearest);
      return t * t * (3 - 2 * t);
    });
  }

  /** Offsets [468, 3] in cm and pose [6] of one frame. */
  at({ opening = 0, width = 0, lids = 0, brows = 0, head = [0, 0, 0] }: KnownMotion): {
    readonly offsets: Float32Array;
    readonly pose: Float32Array;
  } {
    const mesh = this.#mesh;
    const basis = this.#basis;
    const offsets = new Float32Array(MESH_VALUES);
    const scales = { expressionScale: 1, mouthScale: 1 };
    const add = (coefficients: Float32Array, amount: number): void =>
      addExpression(
        basis,
        coefficients.map((value) => value * amount),
        scales,
        offsets,
      );
    if (width !== 0) add(this.#widening, width / 10);
    // A few rounds: the distance is not quite linear in what opens it.
    for (let round = 0; round < 4; round++)
      add(basis.opening, Math.max(opening / 10, CLOSED_LIPS) - gapOf(mesh, offsets));
    if (lids > 0) {
      const [right, left] = blinkReach(basis, mesh);
      addBlink(basis, [lids * right, lids * left], offsets);
    }
    for (let vertex = 0; vertex < MESH_VERTICES; vertex++) {
      offsets[3 * vertex + 1]! += (brows / 10) * this.#browShares[vertex]!;
    }
    const pose = new Float32Array(POSE_VALUES);
    pose.set(head);
    return { offsets, pose };
  }
}

/** Distance by which the upper lip is above the lower one, in cm. */
function gapOf(mesh: ArrayLike<number>, offsets: ArrayLike<number>): number {
  const y = (vertex: number): number => mesh[3 * vertex + 1]! + offsets[3 * vertex + 1]!;
  return y(UPPER_LIP) - y(LOWER_LIP);
}
