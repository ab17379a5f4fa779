/**
 * A lower lip that comes down on skin which does not make way folds over it: mouths that open wide on a face whose lips are fuller, or whose
 * chin is shorter, than those of the face whose motion it is. Here the skin from the lip to the edge of the chin makes way, each place no more
 * than the one above asks of it.
 *
 * Source of the landmarks: the face mesh's topology, along its edges.
 */

/** Landmarks from the outer edge of the lower lip down to that of the chin. */
const COLUMNS: readonly (readonly number[])[] = [
  [91, 106, 204, 211, 170, 149],
  [181, 182, 194, 32, 140, 176],
  [84, 83, 201, 208, 171, 148],
  [17, 18, 200, 199, 175, 152],
  [314, 313, 421, 428, 396, 377],
  [405, 406, 418, 262, 369, 400],
  [321, 335, 424, 431, 395, 378],
];
/** Share of its height at rest that skin keeps, however far it is pushed together. */
const LEAST = 0.25;

/**
 * Moves skin below the lower lip down, in place, where it is pushed together further than skin can be.
 *
 * @param rest - [468, 3] cm, y up.
 * @param offsets - [468, 3] cm.
 */
export function keepOrder(rest: ArrayLike<number>, offsets: Float32Array): void {
  for (const column of COLUMNS) {
    let above = column[0]!;
    for (const vertex of column.slice(1)) {
      const own = rest[3 * above + 1]! - rest[3 * vertex + 1]!;
      const height = own + offsets[3 * above + 1]! - offsets[3 * vertex + 1]!;
      offsets[3 * vertex + 1]! -= keptHeight(height, LEAST * own) - height;
      above = vertex;
    }
  }
}

/** `height` from twice the least on; below, evenly curved towards the least. */
function keptHeight(height: number, least: number): number {
  if (height >= 2 * least) return height;
  return height <= 0 ? least : least + (height * height) / (4 * least);
}
