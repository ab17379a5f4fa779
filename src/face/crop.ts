/** Frames a portrait around its face. */
import { boundsOf } from './bounds.ts';

/** A square of an image in pixels; parts of it may lie outside of the image. */
export interface Square {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** A rectangle of an image in pixels; parts of it may lie outside of the image. */
export interface FaceFrame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Side of the square in extents of the face (forehead to chin, or width): what is wanted, and the least. */
const WANTED_SCALE = 1.7;
const MIN_SCALE = 1.35;
/** How far the square is moved up from the landmarks' centre, in extents: landmarks end below the hair. */
const HAIR_SHIFT = 0.08;

/**
 * A square around a face. Where the wanted one does not fit into the image it is first made smaller, then moved, and
 * only then reaches over the image's edges.
 *
 * @param points - [n · 2] px, the face's landmarks.
 */
export function squareCrop(points: ArrayLike<number>, width: number, height: number): Square {
  const { left, top, right, bottom } = boundsOf(points, 2);
  const extent = Math.max(right - left, bottom - top);
  const centerX = (left + right) / 2;
  const centerY = (top + bottom) / 2 - HAIR_SHIFT * extent;

  const room = 2 * Math.min(centerX, width - centerX, centerY, height - centerY);
  const side = Math.min(Math.max(room, MIN_SCALE * extent), WANTED_SCALE * extent);
  const place = (center: number, size: number): number => {
    const start = center - side / 2;
    // A square wider than the image covers all of it, and is free only within what it reaches over.
    const [least, most] = side <= size ? [0, size - side] : [size - side, 0];
    return Math.min(Math.max(start, least), most);
  };
  return { x: place(centerX, width), y: place(centerY, height), side };
}

/** The least that a square is made smaller for the sake of a longer side that fits into the image. */
const MIN_SHARE = MIN_SCALE / WANTED_SCALE;

/**
 * The rectangle of a shape around the middle of a face's square, whose shorter side is the square's: made a little smaller where its
 * longer side does not fit into the image, then moved, and only then reaching over the image's edges. In whole pixels.
 *
 * @param aspect - width by height.
 * @example
 * frameAround({ x: 100, y: 100, side: 200 }, 2 / 3, { width: 512, height: 512 }); // { x: 100, y: 50, width: 200, height: 300 }
 */
export function frameAround(
  { x, y, side }: Square,
  aspect: number,
  image: { readonly width: number; readonly height: number },
): FaceFrame {
  const whole = { x: Math.round(x), y: Math.round(y), side: Math.round(side) };
  if (aspect === 1) return { x: whole.x, y: whole.y, width: whole.side, height: whole.side };
  const [wide, high] = [Math.max(1, aspect), Math.max(1, 1 / aspect)];
  const fitting = Math.min(1, image.width / (wide * side), image.height / (high * side));
  const short = side * Math.max(MIN_SHARE, fitting);
  const [width, height] = [Math.round(wide * short), Math.round(high * short)];
  const place = (middle: number, length: number, size: number): number => {
    const [least, most] = length <= size ? [0, size - length] : [size - length, 0];
    return Math.min(Math.max(Math.round(middle - length / 2), least), most);
  };
  return {
    x: place(x + side / 2, width, image.width),
    y: place(y + side / 2, height, image.height),
    width,
    height,
  };
}
