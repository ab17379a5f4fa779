/**
 * Upper teeth that stay as they are drawn: what the networks change in them differs from frame to frame in light and colour, down to that
 * of the lips, while teeth belong to the skull and look alike whenever they are seen. Of their difference, little is left there.
 */
import { INNER_LIPS } from './face-rings.ts';
import { smoothstep } from './smoothstep.ts';

/** From the right to the left corner along the upper and the lower inner lip. */
const UPPER: readonly number[] = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308];
const LOWER: readonly number[] = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308];
const [UPPER_LIP, LOWER_LIP] = [13, 14] as const;
/** Outer corners of the eyes, 8.9 cm apart in the canonical face: the unit of the following. */
const [RIGHT_EYE, LEFT_EYE] = [33, 263] as const;
const EYE_DISTANCE = 8.9;
/** What is left of the difference on teeth. */
const LEFT = 0.3;
/** Openings in cm over which teeth begin to be seen as such. */
const SEEN = [0.2, 0.45] as const;
/** Teeth reach this far below the lip, in cm, and end over so much. */
const TEETH_END = [0.45, 0.3] as const;
/** The lip's own edge belongs to the networks. */
const LIP_EDGE = [0.02, 0.08] as const;
/** Towards the corners of the mouth, from so far on, in cm from them, the networks' shadows stay. */
const CORNER = [0.3, 0.9] as const;

/**
 * Takes most of a difference away where the upper teeth are, in place.
 *
 * @param difference - [3, size, size].
 * @param points - landmarks of the frame, [468, 2] px of a square of side `size`.
 */
export function keepTeeth(difference: Float32Array, points: ArrayLike<number>, size: number): void {
  const [ux, uy] = [0, 1].map(
    (axis) => (points[2 * LEFT_EYE + axis]! - points[2 * RIGHT_EYE + axis]!) / EYE_DISTANCE,
  ) as [number, number];
  const unit = Math.hypot(ux, uy);
  if (!(unit > 0)) return;
  // Along the face, in cm: to the picture's right of it, and down.
  const along = (point: number): number =>
    (points[2 * point]! * ux + points[2 * point + 1]! * uy) / unit ** 2;
  const down = (point: number): number => (points[2 * point + 1]! * ux - points[2 * point]! * uy) / unit ** 2;
  const strength = (1 - LEFT) * smoothstep(...SEEN, down(LOWER_LIP) - down(UPPER_LIP));
  if (strength === 0) return;
  const placesOf = (chain: readonly number[]): Float64Array =>
    Float64Array.from(chain.flatMap((point) => [along(point), down(point)]));
  const lip = placesOf(UPPER);
  const lower = placesOf(LOWER);
  const [first, last] = [lip[0]!, lip.at(-2)!];
  const bound = (axis: 0 | 1, pick: (...values: number[]) => number): number =>
    pick(...INNER_LIPS.map((point) => points[2 * point + axis]!));
  const [left, right] = [Math.max(0, Math.floor(bound(0, Math.min))), Math.min(size, bound(0, Math.max))];
  const [top, bottom] = [Math.max(0, Math.floor(bound(1, Math.min))), Math.min(size, bound(1, Math.max))];
  const pixels = size * size;
  // For every pixel: arguments that are spread would make an array of each call's.
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const u = ((x + 0.5) * ux + (y + 0.5) * uy) / unit ** 2;
      const v = ((y + 0.5) * ux - (x + 0.5) * uy) / unit ** 2;
      const below = v - heightAt(lip, u);
      const above = heightAt(lower, u) - v;
      const share =
        strength *
        smoothstep(LIP_EDGE[0], LIP_EDGE[1], Math.min(below, above)) *
        smoothstep(TEETH_END[0], TEETH_END[1], below) *
        smoothstep(CORNER[0], CORNER[1], Math.min(u - first, last - u));
      if (share === 0) continue;
      for (let at = y * size + x; at < 3 * pixels; at += pixels) difference[at]! *= 1 - share;
    }
  }
}

/** Height of a chain of places, [n, 2], at `u`: linear between them; that of its ends beyond. */
function heightAt(chain: Float64Array, u: number): number {
  let next = 2;
  while (next < chain.length - 2 && chain[next]! < u) next += 2;
  const u0 = chain[next - 2]!;
  const v0 = chain[next - 1]!;
  const u1 = chain[next]!;
  const v1 = chain[next + 1]!;
  return v0 + (v1 - v0) * Math.min(1, Math.max(0, (u - u0) / Math.max(1e-9, u1 - u0)));
}
