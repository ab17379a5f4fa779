/**
 * Lines of thickness 2, 8-connected and not antialiased, pixel for pixel as OpenCV draws them.
 *
 * Source: OpenCV, `line` with thickness 2 (drawing.cpp); checked against pictures made with OpenCV 4.6.
 */
import type { RgbImage } from '../image/rgb-image.ts';

/** Fixed-point one: 16 fractional bits. */
const ONE = 65536;
const HALF = ONE / 2;

/** Three bytes of a pixel, in the order of the picture's channels. */
export type Colour = readonly [number, number, number];

type Point = [x: number, y: number];

const toPixel = (fixed: number): number => (fixed + HALF) >> 16;

function plot({ data, width, height }: RgbImage, x: number, y: number, colour: Colour): void {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const at = (y * width + x) * 3;
  data[at] = colour[0];
  data[at + 1] = colour[1];
  data[at + 2] = colour[2];
}

/** Cuts a line to 0…right and 0…bottom, coordinates truncated to integers; undefined where nothing is left. */
function clip(from: Point, to: Point, right: number, bottom: number): [Point, Point] | undefined {
  const ends: [Point, Point] = [
    [from[0], from[1]],
    [to[0], to[1]],
  ];
  const limits = [right, bottom];
  const side = (value: number, limit: number): number => (value < 0 ? -1 : value > limit ? 1 : 0);
  // y first, then x; an axis on which both ends lie on one outer side ends it.
  const outside = (axis: 0 | 1): boolean => {
    const first = side(ends[0][axis], limits[axis]!);
    return first !== 0 && first === side(ends[1][axis], limits[axis]!);
  };
  if (outside(0) || outside(1)) return undefined;
  for (const axis of [1, 0] as const) {
    const other = axis === 0 ? 1 : 0;
    for (const end of ends) {
      const where = side(end[axis], limits[axis]!);
      if (where === 0) continue;
      const edge = where < 0 ? 0 : limits[axis]!;
      end[other] += Math.trunc(
        ((edge - end[axis]) * (ends[1][other] - ends[0][other])) / (ends[1][axis] - ends[0][axis]),
      );
      end[axis] = edge;
    }
    if (outside(0)) return undefined;
  }
  return ends;
}

/** A line of one pixel between fixed-point ends. */
function drawThin(image: RgbImage, from: Point, to: Point, colour: Colour): void {
  const ends = clip(from, to, image.width * ONE - 1, image.height * ONE - 1);
  if (ends === undefined) return;
  const dx = Math.abs(ends[1][0] - ends[0][0]);
  const dy = Math.abs(ends[1][1] - ends[0][1]);
  const main = dx > dy ? 0 : 1;
  const cross = main === 0 ? 1 : 0;
  const [start, end] = ends[0][main] <= ends[1][main] ? ends : [ends[1], ends[0]];
  const slope = Math.trunc(((end[cross] - start[cross]) * ONE) / (Math.max(dx, dy) | 1));
  const count = (end[main] - start[main]) >> 16;
  plot(image, toPixel(end[0]), toPixel(end[1]), colour);
  const first = toPixel(start[main]);
  for (let k = 0; k <= count; k++) {
    const offset = toPixel(start[cross] + k * slope);
    if (main === 0) plot(image, first + k, offset, colour);
    else plot(image, offset, first + k, colour);
  }
}

/** One of the two sides of a convex polygon on the way down. */
interface Walker {
  readonly direction: 1 | -1;
  vertex: number;
  endRow: number;
  x: number;
  step: number;
}

/** Fills a convex polygon of fixed-point corners, row by row. */
function fillConvex(image: RgbImage, corners: readonly Point[], colour: Colour): void {
  const count = corners.length;
  const rows = corners.map(([, y]) => toPixel(y));
  let top = 0;
  for (let i = 1; i < count; i++) if (corners[i]![1] < corners[top]![1]) top = i;
  const firstRow = rows[top]!;
  const lastRow = Math.min(Math.max(...rows), image.height - 1);
  const walker = (direction: 1 | -1): Walker => ({
    direction,
    vertex: top,
    endRow: firstRow,
    x: -ONE,
    step: 0,
  });
  const walkers = [walker(1), walker(-1)] as const;
  let edges = count;
  for (let row = firstRow; row <= lastRow; row++) {
    for (const side of walkers) {
      if (row < side.endRow) continue;
      let from = side.vertex;
      while (edges > 0) {
        edges -= 1;
        const to = (from + side.direction + count) % count;
        if (rows[to]! > row) {
          const height = rows[to]! - row;
          side.x = corners[from]![0];
          side.step = Math.trunc((2 * (corners[to]![0] - side.x) + height) / (2 * height));
          side.endRow = rows[to]!;
          side.vertex = to;
          break;
        }
        from = to;
      }
    }
    if (row >= 0) {
      const left = Math.max(toPixel(Math.min(walkers[0].x, walkers[1].x)), 0);
      const right = Math.min(toPixel(Math.max(walkers[0].x, walkers[1].x)), image.width - 1);
      for (let x = left; x <= right; x++) plot(image, x, row, colour);
    }
    for (const side of walkers) side.x += side.step;
  }
}

/** Draws a line of thickness 2 between two pixels into `image`; what lies outside of the picture is left out. */
export function drawLine(
  image: RgbImage,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  colour: Colour,
): void {
  const length = Math.hypot(x0 - x1, y1 - y0);
  if (length > 0) {
    const normalX = Math.round(((y1 - y0) * ONE) / length);
    const normalY = Math.round(((x0 - x1) * ONE) / length);
    const corners: Point[] = [
      [x0 * ONE + normalX, y0 * ONE + normalY],
      [x0 * ONE - normalX, y0 * ONE - normalY],
      [x1 * ONE - normalX, y1 * ONE - normalY],
      [x1 * ONE + normalX, y1 * ONE + normalY],
    ];
    for (const [i, corner] of corners.entries()) {
      drawThin(image, corners[(i + 3) % 4]!, corner, colour);
    }
    fillConvex(image, corners, colour);
  }
  for (const [x, y] of [
    [x0, y0],
    [x1, y1],
  ] as const) {
    plot(image, x, y, colour);
    plot(image, x - 1, y, colour);
    plot(image, x + 1, y, colour);
    plot(image, x, y - 1, colour);
    plot(image, x, y + 1, colour);
  }
}
