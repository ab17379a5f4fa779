/** Frames a portrait around its face. */
import { boundsOf } from './bounds.ts';

/** A square of an image in pixels; parts of it may lie outside of the image. */
export interface Square {
  readonly x: number;
  readonly y: number;
  readonly side: number;
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
