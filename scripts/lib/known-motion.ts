/** Motion of known size, to drive a portrait with: what a picture shows of it can then be measured against it. */
import { addExpression, type ExpressionBasis } from '../../src/motion/expression-basis.ts';
import { LidShapes } from '../../src/motion/lid-shapes.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { Lifting, wideningOf } from './large-motion.ts';

/** The middles of the inner lips. */
const [UPPER_LIP, LOWER_LIP] = [13, 14];
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

/** Offsets and poses that show motion of known size on one mesh. */
export class KnownMotions {
  readonly #mesh: ArrayLike<number>;
  readonly #basis: ExpressionBasis;
  readonly #widening: Float64Array;
  readonly #lifting: Lifting;
  readonly #lids: LidShapes;

  /** @param mesh - the portrait's, [468, 3] in cm. */
  constructor(mesh: ArrayLike<number>, basis: ExpressionBasis) {
    this.#mesh = mesh;
    this.#basis = basis;
    this.#widening = wideningOf(basis.basis, basis.components);
    this.#lifting = new Lifting(mesh);
    this.#lids = new LidShapes(mesh);
  }

  /** Offsets [468, 3] in cm and pose [6] of one frame. */
  at({ opening = 0, width = 0, lids = 0, brows = 0, head = [0, 0, 0] }: KnownMotion): {
    readonly offsets: Float32Array;
    readonly pose: Float32Array;
  } {
    const mesh = this.#mesh;
    const basis = this.#basis;
    const offsets = new Float32Array(MESH_VALUES);
    for (let i = 0; i < MESH_VALUES; i++) offsets[i]! += (width / 10) * this.#widening[i]!;
    const scales = { expressionScale: 1, mouthScale: 1 };
    const asked = Math.max(opening / 10, CLOSED_LIPS);
    const change = asked - gapOf(mesh, offsets);
    addExpression(
      basis,
      basis.opening.map((value) => value * change),
      scales,
      offsets,
    );
    if (lids > 0) this.#lids.add([lids, lids], offsets);
    this.#lifting.add(brows / 10, offsets);
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
