/** Edges of a moved face that hide what is behind them. */

import type { RgbImage } from '../image/rgb-image.ts';
import { sampleColour } from '../image/sample-colour.ts';

/** Half the width, in pixels, over which the edge of what hides something is smoothed. */
const SILHOUETTE = 1;

/** Where a cheek hides what is behind it, its edge is as soft as a camera would show it: triangles end in steps. */
export class Silhouettes {
  readonly #edges: Int32Array;
  /** Which triangles the source shows from inside. */
  readonly #sourceTurned: Uint8Array;

  /**
   * @param triangles - of the mesh, three corners each.
   * @param sourceTurned - 1 for each that the source shows from inside.
   * @param excluded - corners whose edges stay as they are.
   */
  constructor(triangles: Int32Array, sourceTurned: Uint8Array, excluded: ReadonlySet<number>) {
    this.#edges = sharedEdges(triangles, excluded);
    this.#sourceTurned = sourceTurned;
  }

  /**
   * Smooths the edges between what is seen from outside and from inside.
   *
   * @param image - with the triangles drawn; it is changed.
   * @param target - where the mesh's points are drawn, `[n, 2]` in pixels.
   * @param turned - 1 for each triangle that is seen from inside there.
   */
  smooth(image: RgbImage, target: Float64Array, turned: Uint8Array): void {
    const edges = this.#edges;
    const { width, height, data } = image;
    const [before, after] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    for (let e = 0; e < edges.length; e += 4) {
      const [one, other] = [edges[e + 2]!, edges[e + 3]!];
      if (turned[one] === turned[other]) continue;
      // An edge that the portrait shows itself is soft already.
      if (turned[one] === this.#sourceTurned[one] && turned[other] === this.#sourceTurned[other]) continue;
      const [a, b] = [edges[e]! * 2, edges[e + 1]! * 2];
      const [x0, y0] = [target[a]!, target[a + 1]!];
      const [dx, dy] = [target[b]! - x0, target[b + 1]! - y0];
      const length = Math.hypot(dx, dy);
      if (length < 1e-6) continue;
      const [nx, ny] = [-dy / length, dx / length];
      const firstRow = Math.max(0, Math.floor(Math.min(y0, y0 + dy) - SILHOUETTE));
      const lastRow = Math.min(height - 1, Math.ceil(Math.max(y0, y0 + dy) + SILHOUETTE));
      const firstColumn = Math.max(0, Math.floor(Math.min(x0, x0 + dx) - SILHOUETTE));
      const lastColumn = Math.min(width - 1, Math.ceil(Math.max(x0, x0 + dx) + SILHOUETTE));
      for (let row = firstRow; row <= lastRow; row++) {
        for (let column = firstColumn; column <= lastColumn; column++) {
          const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
          const along = (px * dx + py * dy) / (length * length);
          const off = Math.abs(px * nx + py * ny);
          if (along < 0 || along >= 1 || off > SILHOUETTE) continue;
          sampleColour(image, column + 0.5 - nx * SILHOUETTE, row + 0.5 - ny * SILHOUETTE, before);
          sampleColour(image, column + 0.5 + nx * SILHOUETTE, row + 0.5 + ny * SILHOUETTE, after);
          const at = (row * width + column) * 3;
          for (let c = 0; c < 3; c++) {
            data[at + c] = Math.round(0.5 * data[at + c]! + 0.25 * (before[c]! + after[c]!));
          }
        }
      }
    }
  }
}

/** Edges that belong to two triangles: corner, corner, triangle, triangle for each; without those between `excluded` corners. */
function sharedEdges(triangles: Int32Array, excluded: ReadonlySet<number>): Int32Array {
  const first = new Map<number, number>();
  const edges: number[] = [];
  for (let t = 0; t < triangles.length / 3; t++) {
    for (let k = 0; k < 3; k++) {
      const [a, b] = [triangles[3 * t + k]!, triangles[3 * t + ((k + 1) % 3)]!].sort((p, q) => p - q) as [
        number,
        number,
      ];
      if (excluded.has(a) || excluded.has(b)) continue;
      const key = a * 65536 + b;
      const other = first.get(key);
      if (other === undefined) first.set(key, t);
      else edges.push(a, b, other, t);
    }
  }
  return Int32Array.from(edges);
}
