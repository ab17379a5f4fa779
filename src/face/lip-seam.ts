/**
 * The dark line between closed lips. A still with a closed mouth shows it on both sides of where its lips part; a mesh that opens
 * takes half of it along on each lip, where it looks as if the mouth were open further than it is. Lips that part show their moist
 * inner side instead: here the lips' own colour is drawn up to their edge.
 */
import type { RgbImage } from '../image/rgb-image.ts';
import { sampleColour } from '../image/sample-colour.ts';
import { smoothstep } from './smoothstep.ts';

/** Landmarks of one lip across its width without the corners: of its inner edge, and of the outer one in front of each. */
interface Lip {
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

const UPPER: Lip = {
  inner: [191, 80, 81, 82, 13, 312, 311, 310, 415],
  outer: [185, 40, 39, 37, 0, 267, 269, 270, 409],
};
const LOWER: Lip = {
  inner: [95, 88, 178, 87, 14, 317, 402, 318, 324],
  outer: [146, 91, 181, 84, 17, 314, 405, 321, 375],
};
/** How far each of them follows: the corners stay together. */
const FOLLOWING = [0.35, 0.7, 1, 1, 1, 1, 1, 0.7, 0.35] as const;

/** The line is looked for up to here, as a share of the lip's height, and the lip's own colour between these. */
const SEARCHED = 0.12;
const OWN_COLOUR = [0.2, 0.5] as const;
/** Steps for each lip's height. */
const STEPS = 40;
/** Levels, 0 to 255, by which a line is darker than the lip; less is none. */
const LEAST_DARKNESS = 8;
/** The line ends where this share of its darkness is left. */
const LEFT = 0.5;
/** A portrait's mouth is closed up to the first opening in cm, and is not from the second on. */
const CLOSED = [0.12, 0.25] as const;
/** Further opening in cm over which the line gives way. */
const PARTING = [0.06, 0.25] as const;

/** The line between one portrait's lips. */
export class LipSeam {
  /** Landmarks that are moved, and by how much in pixels of the source: x and y of each. */
  readonly #landmarks: readonly number[];
  readonly #shifts: Float64Array;
  readonly #ownOpening: number;

  /**
   * @param points - landmarks of the portrait, [468, 2] px.
   * @param opening - of its mouth, in cm.
   */
  constructor(source: RgbImage, points: ArrayLike<number>, opening: number) {
    const shares = [UPPER, LOWER].map((lip) => widthOf(source, points, lip));
    this.#ownOpening = opening;
    this.#landmarks = [...UPPER.inner, ...LOWER.inner];
    this.#shifts = new Float64Array(2 * this.#landmarks.length);
    for (const [l, { inner, outer }] of [UPPER, LOWER].entries()) {
      for (const [i, landmark] of inner.entries()) {
        const share = shares[l]! * FOLLOWING[i]! * (1 - smoothstep(...CLOSED, opening));
        for (const axis of [0, 1]) {
          const height = points[2 * outer[i]! + axis]! - points[2 * landmark + axis]!;
          this.#shifts[2 * (l * inner.length + i) + axis] = share * height;
        }
      }
    }
  }

  /**
   * Moves the edges of the lips, in `points` of the source, to where their own colour begins.
   *
   * @param points - [n, 2] px, as the portrait has them; changed.
   * @param opening - of the mouth that is drawn, in cm.
   */
  part(points: Float64Array, opening: number): void {
    const share = smoothstep(...PARTING, opening - this.#ownOpening);
    if (share === 0) return;
    for (const [i, landmark] of this.#landmarks.entries()) {
      points[2 * landmark]! += share * this.#shifts[2 * i]!;
      points[2 * landmark + 1]! += share * this.#shifts[2 * i + 1]!;
    }
  }
}

/** How far the line reaches onto a lip, as a share of its height; 0 where there is none. */
function widthOf(source: RgbImage, points: ArrayLike<number>, { inner, outer }: Lip): number {
  const colour = [0, 0, 0];
  const levels = Array.from({ length: STEPS }, (_, step) => {
    let sum = 0;
    // The middle of the lips: towards the corners, shadows fall on them.
    for (let i = 2; i < inner.length - 2; i++) {
      const along = (axis: 0 | 1): number => {
        const from = points[2 * inner[i]! + axis]!;
        return from + (step / STEPS) * (points[2 * outer[i]! + axis]! - from);
      };
      sampleColour(source, along(0), along(1), colour);
      sum += 0.299 * colour[0]! + 0.587 * colour[1]! + 0.114 * colour[2]!;
    }
    return sum / (inner.length - 4);
  });
  const own = levels.slice(OWN_COLOUR[0] * STEPS, OWN_COLOUR[1] * STEPS).sort((a, b) => a - b);
  const lip = own[own.length >> 1]!;
  const searched = levels.slice(0, SEARCHED * STEPS);
  const darkest = searched.indexOf(Math.min(...searched));
  const darkness = lip - searched[darkest]!;
  if (darkness < LEAST_DARKNESS) return 0;
  const end = searched.findIndex((level, step) => step >= darkest && level >= lip - LEFT * darkness);
  return end < 0 ? SEARCHED : end / STEPS;
}
