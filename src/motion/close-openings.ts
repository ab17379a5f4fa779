/**
 * Sets how far lips or lids are apart, column by column, and lets the skin around them follow: whatever the proportions of
 * two faces are, lips that meet on one meet on the other.
 */
import { MESH_VERTICES } from './motion.ts';

/** An opening of the face mesh. */
interface OpeningShape {
  /** Landmarks along its upper and lower edge, column by column from one corner to the other, without the corners. */
  readonly columns: readonly (readonly [upper: number, lower: number])[];
  readonly corners: readonly [number, number];
  /** Share of a change that the upper edge moves; the lower one moves the rest. */
  readonly upperShare: number;
  /** Centimetres above and below the edges in which the skin follows less and less. */
  readonly reach: readonly [above: number, below: number];
}

/** The inner lips; the jaw's side moves most. */
export const MOUTH: OpeningShape = {
  columns: [
    [191, 95],
    [80, 88],
    [81, 178],
    [82, 87],
    [13, 14],
    [312, 317],
    [311, 402],
    [310, 318],
    [415, 324],
  ],
  corners: [78, 308],
  upperShare: 0.3,
  reach: [1.4, 3.6],
};

/** The lids of the person's right and left eye; the upper one moves most. */
export const EYES: readonly [OpeningShape, OpeningShape] = [
  {
    columns: [
      [246, 7],
      [161, 163],
      [160, 144],
      [159, 145],
      [158, 153],
      [157, 154],
      [173, 155],
    ],
    corners: [33, 133],
    upperShare: 0.85,
    reach: [0.9, 0.6],
  },
  {
    columns: [
      [398, 382],
      [384, 381],
      [385, 380],
      [386, 374],
      [387, 373],
      [388, 390],
      [466, 249],
    ],
    corners: [362, 263],
    upperShare: 0.85,
    reach: [0.9, 0.6],
  },
];

/** How far the edges of an opening are apart in y, by column. */
export function gapsOf(mesh: ArrayLike<number>, { columns }: OpeningShape): Float64Array {
  return Float64Array.from(columns, ([upper, lower]) => mesh[3 * upper + 1]! - mesh[3 * lower + 1]!);
}

/** One vertex's part in the change of an opening. */
interface Follower {
  readonly vertex: number;
  /** Columns between which it lies; the gap of corners never changes. */
  readonly column: number;
  readonly t: number;
  /** Of the change of the gap, upwards. */
  readonly weight: number;
}

/** Changes one opening of one face. */
export class OpeningControl {
  readonly #shape: OpeningShape;
  readonly #followers: readonly Follower[];

  /** @param mesh - [468, 3] cm, of the face at rest. */
  constructor(shape: OpeningShape, mesh: ArrayLike<number>) {
    this.#shape = shape;
    this.#followers = findFollowers(shape, mesh);
  }

  /**
   * Moves the edges of a mesh until they are `gaps` apart, in place.
   *
   * @param mesh - [468, 3] cm: the face at rest with its motion.
   * @param offsets - [468, 3] cm, that motion; changed by the same amount.
   */
  set(mesh: Float32Array | Float64Array, gaps: ArrayLike<number>, offsets: Float32Array): void {
    const now = gapsOf(mesh, this.#shape);
    const change = (column: number): number =>
      column < 0 || column >= now.length ? 0 : gaps[column]! - now[column]!;
    for (const { vertex, column, t, weight } of this.#followers) {
      const wanted = (1 - t) * change(column) + t * change(column + 1);
      mesh[3 * vertex + 1]! += weight * wanted;
      offsets[3 * vertex + 1]! += weight * wanted;
    }
  }
}

function findFollowers(shape: OpeningShape, mesh: ArrayLike<number>): Follower[] {
  const { columns, corners, upperShare, reach } = shape;
  const x = (vertex: number): number => mesh[3 * vertex]!;
  const y = (vertex: number): number => mesh[3 * vertex + 1]!;
  /** Along the opening: the corner, the columns, the other corner. */
  const stations = [
    { x: x(corners[0]), upper: y(corners[0]), lower: y(corners[0]) },
    ...columns.map(([upper, lower]) => ({ x: (x(upper) + x(lower)) / 2, upper: y(upper), lower: y(lower) })),
    { x: x(corners[1]), upper: y(corners[1]), lower: y(corners[1]) },
  ];
  const uppers = new Map(columns.map(([upper], column) => [upper, column]));
  const lowers = new Map(columns.map(([, lower], column) => [lower, column]));
  const followers: Follower[] = [];
  for (let vertex = 0; vertex < MESH_VERTICES; vertex++) {
    const upperColumn = uppers.get(vertex);
    const lowerColumn = lowers.get(vertex);
    if (upperColumn !== undefined) {
      followers.push({ vertex, column: upperColumn, t: 0, weight: upperShare });
      continue;
    }
    if (lowerColumn !== undefined) {
      followers.push({ vertex, column: lowerColumn, t: 0, weight: upperShare - 1 });
      continue;
    }
    const segment = stations.findIndex((station, i) => i > 0 && x(vertex) <= station.x) - 1;
    if (segment < 0 || x(vertex) < stations[0]!.x) continue;
    const [a, b] = [stations[segment]!, stations[segment + 1]!];
    const t = Math.min(1, Math.max(0, (x(vertex) - a.x) / Math.max(1e-6, b.x - a.x)));
    const upper = a.upper + t * (b.upper - a.upper);
    const lower = a.lower + t * (b.lower - a.lower);
    const isAbove = y(vertex) > (upper + lower) / 2;
    const distance = isAbove ? y(vertex) - upper : lower - y(vertex);
    const weight = fade(distance / reach[isAbove ? 0 : 1]);
    if (weight <= 0) continue;
    // Station 0 is the corner, column -1.
    followers.push({
      vertex,
      column: segment - 1,
      t,
      weight: weight * (isAbove ? upperShare : upperShare - 1),
    });
  }
  return followers;
}

/** From 1 at 0 and below to 0 at 1, evenly curved. */
function fade(distance: number): number {
  const t = Math.min(1, Math.max(0, 1 - distance));
  return t * t * (3 - 2 * t);
}
