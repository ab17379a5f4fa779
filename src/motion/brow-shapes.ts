/** How a face's mesh moves with its brows: raised at their inner and outer ends, and drawn together. */
import { addField, type FaceField } from './face-field.ts';
import { smoothstep } from './gesture-shapes.ts';
import { MESH_VALUES, MESH_VERTICES } from './motion.ts';

/** Lower and upper edges of the right and the left brow, from the temple to the nose. Source: the face mesh's topology. */
const BROWS = [
  { lower: [46, 53, 52, 65, 55], upper: [70, 63, 105, 66, 107] },
  { lower: [276, 283, 282, 295, 285], upper: [300, 293, 334, 296, 336] },
] as const;
/** Middle of the upper lids' creases, under which nothing moves with the brows; top of the forehead. */
const CREASES = [27, 257] as const;
const FOREHEAD_TOP = 10;
/** Root of the nose. */
const NOSE_ROOT = 168;
/** Centimetres from the middle of the face over which one side's motion becomes the other's. */
const MIDDLE = 0.7;
/** How skin on the curved forehead goes back for each centimetre that it goes up. */
const SLOPE = -0.12;
/** Centimetres towards the middle for each centimetre that the brows are lowered when drawn together. */
const TOGETHER = 0.7;

/** What both brows do, in centimetres of raising; `furrow` in centimetres of lowering. */
export interface BrowMove {
  readonly rightInner: number;
  readonly rightOuter: number;
  readonly leftInner: number;
  readonly leftOuter: number;
  readonly furrow: number;
}

/** The fields of one face's brows. */
export class BrowShapes {
  readonly #fields: Readonly<Record<keyof BrowMove, FaceField>>;

  /** @param mesh - [468, 3] in centimetres, turned to the front. */
  constructor(mesh: ArrayLike<number>) {
    const [right, left] = BROWS.map((_, side) => sideShares(mesh, side as 0 | 1)) as [Shares, Shares];
    const raise = (shares: Float32Array): FaceField => {
      const field = new Float32Array(MESH_VALUES);
      for (const [vertex, share] of shares.entries()) field.set([0, share, SLOPE * share], 3 * vertex);
      return field;
    };
    const furrow = new Float32Array(MESH_VALUES);
    for (const [shares, inwards] of [
      [right.inner, TOGETHER],
      [left.inner, -TOGETHER],
    ] as const) {
      shares.forEach((share, vertex) => {
        furrow[3 * vertex]! += inwards * share;
        furrow[3 * vertex + 1]! -= share;
      });
    }
    this.#fields = {
      rightInner: raise(right.inner),
      rightOuter: raise(right.outer),
      leftInner: raise(left.inner),
      leftOuter: raise(left.outer),
      furrow,
    };
  }

  /** Adds the move to the offsets of one frame, [468, 3] in centimetres. */
  add(move: BrowMove, out: Float32Array): void {
    for (const name of Object.keys(this.#fields) as (keyof BrowMove)[]) {
      addField(this.#fields[name], move[name], out);
    }
  }
}

interface Shares {
  /** [468] how far a vertex goes with the inner and with the outer half of a brow, 0 to 1. */
  readonly inner: Float32Array;
  readonly outer: Float32Array;
}

function sideShares(mesh: ArrayLike<number>, side: 0 | 1): Shares {
  const { lower, upper } = BROWS[side];
  const sign = side === 0 ? -1 : 1;
  const outwards = (vertex: number): number => sign * mesh[3 * vertex]!;
  const height = (vertex: number): number => mesh[3 * vertex + 1]!;
  const innerEnd = outwards(lower.at(-1)!);
  const outerEnd = outwards(upper[0]);
  const top = height(FOREHEAD_TOP);
  const inner = new Float32Array(MESH_VERTICES);
  const outer = new Float32Array(MESH_VERTICES);
  for (let vertex = 0; vertex < MESH_VERTICES; vertex++) {
    const x = outwards(vertex);
    const y = height(vertex);
    // The brow above and below this place, and the crease of the lid or the root of the nose under it.
    const low = alongBrow(mesh, lower, sign, x);
    const high = alongBrow(mesh, upper, sign, x);
    const nearNose = 1 - smoothstep(x / innerEnd);
    const rest = (1 - nearNose) * height(CREASES[side]) + nearNose * height(NOSE_ROOT);
    const vertical =
      y < low
        ? smoothstep((y - rest) / Math.max(0.3, low - rest))
        : 1 - smoothstep((y - high) / (top - high));
    const ofThisSide = smoothstep(0.5 + x / (2 * MIDDLE));
    const beyond = 1 - smoothstep((x - outerEnd) / 1.4);
    const towardsTemple = smoothstep((x - innerEnd) / (outerEnd - innerEnd));
    inner[vertex] = vertical * ofThisSide * beyond * (1 - towardsTemple);
    outer[vertex] = vertical * ofThisSide * beyond * towardsTemple;
  }
  return { inner, outer };
}

/** Height of an edge of a brow at a distance `x` from the middle of the face, level beyond its ends. */
function alongBrow(mesh: ArrayLike<number>, edge: readonly number[], sign: number, x: number): number {
  for (let i = 0; i + 1 < edge.length; i++) {
    const outer = sign * mesh[3 * edge[i]!]!;
    const inner = sign * mesh[3 * edge[i + 1]!]!;
    const [high, low] = [mesh[3 * edge[i]! + 1]!, mesh[3 * edge[i + 1]! + 1]!];
    if (x >= outer) return high;
    if (x >= inner) return low + ((high - low) * (x - inner)) / Math.max(1e-6, outer - inner);
  }
  return mesh[3 * edge.at(-1)! + 1]!;
}
