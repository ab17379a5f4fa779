/** Motion beyond calm speech, to pose stills with: wider and narrower mouths, lifted brows. */

const POINTS = 468;
const STRIDE = POINTS * 3;
/** Corners of the mouth, the middles of the inner lips, and landmarks along both brows. */
const CORNERS = [61, 291] as const;
const LIPS = [13, 14] as const;
const BROWS: readonly number[] = [
  70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
];
/** A brow lifts what is this near to it, in cm: the forehead far, what is beneath it hardly. */
const REACH = { above: 2, below: 0.55 } as const;

/**
 * The smallest change of expression that makes the mouth wider by 1 cm and does not open it, [468, 3] in cm.
 *
 * @param basis - [components, 468, 3], orthonormal.
 */
export function wideningOf(basis: Float32Array, components: number): Float64Array {
  const rows = Array.from({ length: components }, (_, k) => basis.subarray(k * STRIDE, (k + 1) * STRIDE));
  const width = rows.map((row) => row[3 * CORNERS[1]]! - row[3 * CORNERS[0]]!);
  const gap = rows.map((row) => row[3 * LIPS[0] + 1]! - row[3 * LIPS[1] + 1]!);
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const share = dot(width, gap) / dot(gap, gap);
  const free = width.map((value, k) => value - share * gap[k]!);
  const size = dot(free, width);
  const result = new Float64Array(STRIDE);
  for (const [k, row] of rows.entries()) {
    for (let i = 0; i < STRIDE; i++) result[i]! += (free[k]! / size) * row[i]!;
  }
  return result;
}

/** Lifts the brows of one face. */
export class Lifting {
  readonly #shares: Float64Array;

  /** @param mesh - [468, 3] in cm. */
  constructor(mesh: ArrayLike<number>) {
    this.#shares = Float64Array.from({ length: POINTS }, (_, vertex) => {
      const nearest = Math.min(
        ...BROWS.map((brow) => {
          const dx = mesh[3 * vertex]! - mesh[3 * brow]!;
          const dy = mesh[3 * vertex + 1]! - mesh[3 * brow + 1]!;
          return Math.hypot(dx / REACH.above, dy / (dy > 0 ? REACH.above : REACH.below));
        }),
      );
      const t = Math.max(0, 1 - nearest);
      return t * t * (3 - 2 * t);
    });
  }

  /** Adds a lift by `amount` cm to `mesh`, in place. */
  add(amount: number, mesh: Float64Array | Float32Array): void {
    if (amount === 0) return;
    for (let vertex = 0; vertex < POINTS; vertex++) mesh[3 * vertex + 1]! += amount * this.#shares[vertex]!;
  }
}
