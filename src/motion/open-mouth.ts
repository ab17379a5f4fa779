/** Closes the mouth of a portrait that was taken while it was open: before it speaks, and for the sounds that shut the lips. */
import { gapsOf, MOUTH, OpeningControl } from './close-openings.ts';
import { addExpression, type ExpressionBasis, lipOpening } from './expression-basis.ts';
import { MESH_VALUES } from './motion.ts';

/** Inner lips of a closed mouth are this far apart in the landmarks, in centimetres. */
export const CLOSED_LIPS = 0.04;

/** See above. Lips are closed along all of their width: what speech does to them fits their middle. */
export class OpenMouth {
  readonly #mesh: ArrayLike<number>;
  readonly #control: OpeningControl;
  /** Offsets [468, 3] of the mouth that has been closed. */
  readonly #rest: Float32Array;

  /** @param share - by which it is closed, 0 to 1 */
  constructor(mesh: ArrayLike<number>, basis: ExpressionBasis, share: number) {
    this.#mesh = mesh;
    this.#control = new OpeningControl(MOUTH, mesh);
    const closing = share * Math.max(0, lipOpening(mesh) - CLOSED_LIPS);
    this.#rest = new Float32Array(MESH_VALUES);
    addExpression(
      basis,
      basis.opening.map((change) => -closing * change),
      { expressionScale: 1, mouthScale: 1 },
      this.#rest,
    );
    const own = gapsOf(mesh, MOUTH);
    this.#setGaps(
      this.#rest,
      own.map((gap) => gap - share * Math.max(0, gap - CLOSED_LIPS)),
    );
  }

  /** Closes it in the offsets of one frame, in place; what is left of its opening, by the share `shut`. */
  close(offsets: Float32Array, shut: number): void {
    for (let i = 0; i < MESH_VALUES; i++) offsets[i]! += this.#rest[i]!;
    if (shut === 0) return;
    const gaps = gapsOf(this.#posed(offsets), MOUTH);
    this.#setGaps(
      offsets,
      gaps.map((gap) => gap - shut * Math.max(0, gap)),
    );
  }

  #posed(offsets: Float32Array): Float32Array {
    return offsets.map((value, i) => value + this.#mesh[i]!);
  }

  #setGaps(offsets: Float32Array, gaps: ArrayLike<number>): void {
    this.#control.set(this.#posed(offsets), gaps, offsets);
  }
}
