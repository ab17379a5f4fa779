import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawRun, openWarpSource, type Sampling } from '../../src/face/warp-source.ts';
import { PixelKernels } from '../../src/pixels/pixel-kernels.ts';
import { RandomStream } from '../../src/tensor/random.ts';

const LIMIT = { timeout: 120_000 };

/** A picture that is being drawn. */
interface Canvas {
  /** Draws so many pixels from the one with an index on, with those of a line in the source. */
  readonly draw: (first: number, count: number, u: number, v: number, uStep: number, vStep: number) => void;
  readonly width: number;
  readonly height: number;
  readonly reliability: Uint8Array;
}

/** Where a mesh's points are, `[n, 2]` in pixels. */
interface MovedPoints {
  readonly from: Float64Array;
  readonly to: Float64Array;
  readonly areaScale: number;
}

for (const sampling of ['linear', 'spline'] as const satisfies readonly Sampling[]) {
  test(
    `${sampling}: triangles are drawn as their rows are, one by one, whatever lies beyond the picture`,
    LIMIT,
    () => {
      const random = new RandomStream([17]);
      const picture = { width: 40, height: 30 };
      const data = Uint8Array.from({ length: 3 * 40 * 30 }, () => Math.floor(256 * random.uniform()));
      const [width, height] = [50, 44];
      const points = 40;
      const from = Float64Array.from({ length: 2 * points }, (_, i) => 48 * random.uniform() - (i % 2) * 4);
      const to = Float64Array.from({ length: 2 * points }, () => 64 * random.uniform() - 8);
      // Edges through the pixels' centres, and upright and level ones.
      for (let i = 0; i < 40; i++) to[i] = Math.round(to[i]!) + 0.5;
      const triangles = Array.from({ length: 60 }, (_, t) => [
        ...Array.from({ length: 3 }, () => Math.floor(points * random.uniform())),
        t % 3 === 0 ? Math.floor(256 * random.uniform()) : -1,
      ]);
      const areaScale = (width * height) / (40 * 30);

      const kernels = new PixelKernels();
      const source = openWarpSource({ data, ...picture }, sampling).load(kernels);
      const pixels = width * height;
      const sizes = [3 * pixels, pixels, 16 * triangles.length, 8 * from.length, 8 * to.length] as const;
      const [target, seen, order, fromAt, toAt] = kernels.layOut(sizes);
      kernels.bytes(target, 3 * pixels).fill(77);
      kernels.bytes(seen, pixels).fill(255);
      const reliability = new Uint8Array(pixels).fill(255);
      const draw: Canvas['draw'] = (first, count, u, v, uStep, vStep) =>
        drawRun(kernels, source, { target: target + 3 * first, count, u, v, uStep, vStep });
      for (const triangle of triangles) {
        drawTriangle(triangle, { from, to, areaScale }, { draw, width, height, reliability });
      }
      const expected = kernels.bytes(target, 3 * pixels).slice();
      assert.ok(reliability.filter((value) => value < 255).length > pixels / 4, 'much is drawn');

      kernels.bytes(target, 3 * pixels).fill(77);
      kernels.integers(order, 4 * triangles.length).set(triangles.flat());
      kernels.doubles(fromAt, from.length).set(from);
      kernels.doubles(toAt, to.length).set(to);
      kernels.run.drawTriangles(
        ...([target, width, height, seen, order, triangles.length, fromAt, toAt, areaScale] as const),
        ...([source.place, source.width, source.height, source.weights] as const),
      );
      assert.deepEqual(kernels.bytes(target, 3 * pixels), expected);
      assert.deepEqual(kernels.bytes(seen, pixels), reliability);
    },
  );
}

/** The plain form of the kernel, for one triangle: its corners and its reliability. */
function drawTriangle(
  [corner0, corner1, corner2, known]: readonly number[],
  { from: points, to: target, areaScale }: MovedPoints,
  { draw, width, height, reliability }: Canvas,
): void {
  const [i0, i1, i2] = [corner0! * 2, corner1! * 2, corner2! * 2];
  const x0 = target[i0]!;
  const y0 = target[i0 + 1]!;
  const x1 = target[i1]!;
  const y1 = target[i1 + 1]!;
  const x2 = target[i2]!;
  const y2 = target[i2 + 1]!;
  const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
  if (Math.abs(area) < 1e-6) return;
  const u0 = points[i0]!;
  const v0 = points[i0 + 1]!;
  const u1 = points[i1]!;
  const v1 = points[i1 + 1]!;
  const u2 = points[i2]!;
  const v2 = points[i2 + 1]!;
  const sourceArea = ((u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)) * areaScale;
  // A triangle that turned over since the portrait shows what was hidden; a stretched one was seen in part.
  const seen = Math.max(0, Math.min(1, sourceArea / area));
  const seenByte = known! < 0 ? Math.round(seen * 255) : known!;
  const inverse = 1 / area;
  const firstRow = Math.max(0, Math.ceil(Math.min(y0, y1, y2) - 0.5));
  const lastRow = Math.min(height - 1, Math.floor(Math.max(y0, y1, y2) - 0.5));
  const firstColumn = Math.max(0, Math.ceil(Math.min(x0, x1, x2) - 0.5));
  const lastColumn = Math.min(width - 1, Math.floor(Math.max(x0, x1, x2) - 0.5));
  // The place in the source is linear in column and row.
  const uStep = ((y2 - y0) * (u1 - u0) - (y1 - y0) * (u2 - u0)) * inverse;
  const vStep = ((y2 - y0) * (v1 - v0) - (y1 - y0) * (v2 - v0)) * inverse;
  const uRowStep = ((x1 - x0) * (u2 - u0) - (x2 - x0) * (u1 - u0)) * inverse;
  const vRowStep = ((x1 - x0) * (v2 - v0) - (x2 - x0) * (v1 - v0)) * inverse;
  // So are the weights of the corners; where one is 0, a row enters or leaves the triangle.
  const step1 = (y2 - y0) * inverse;
  const step2 = (y0 - y1) * inverse;
  const step0 = -step1 - step2;
  const columns1 = 1 / step1;
  const columns2 = 1 / step2;
  const columns0 = 1 / step0;
  const px = firstColumn + 0.5 - x0;
  for (let row = firstRow; row <= lastRow; row++) {
    const py = row + 0.5 - y0;
    const across1 = (x2 - x0) * py;
    const across2 = (x1 - x0) * py;
    const w1 = (px * (y2 - y0) - across1) * inverse;
    const w2 = (across2 - px * (y1 - y0)) * inverse;
    const w0 = 1 - w1 - w2;
    let enter = 0;
    let leave = lastColumn - firstColumn;
    if (step1 > 0) enter = Math.max(enter, -w1 * columns1);
    else if (step1 < 0) leave = Math.min(leave, -w1 * columns1);
    if (step2 > 0) enter = Math.max(enter, -w2 * columns2);
    else if (step2 < 0) leave = Math.min(leave, -w2 * columns2);
    if (step0 > 0) enter = Math.max(enter, -w0 * columns0);
    else if (step0 < 0) leave = Math.min(leave, -w0 * columns0);
    // Pixels on an edge, or nearly so, are inside.
    let from = firstColumn + Math.ceil(enter - 1e-3);
    let to = firstColumn + Math.floor(leave + 1e-3);
    while (from <= to && !isInside(from + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) from++;
    while (from <= to && !isInside(to + 0.5 - x0, across1, across2, y2 - y0, y1 - y0, inverse)) to--;
    if (from > to) continue;
    const start = row * width + from;
    reliability.fill(seenByte, start, start + to - from + 1);
    const u = u0 + (from + 0.5 - x0) * uStep + py * uRowStep;
    const v = v0 + (from + 0.5 - x0) * vStep + py * vRowStep;
    draw(start, to - from + 1, u, v, uStep, vStep);
  }
}

/** Whether a pixel is inside a triangle or, but for rounding, on its edge. */
function isInside(
  px: number,
  across1: number,
  across2: number,
  dy2: number,
  dy1: number,
  inverse: number,
): boolean {
  const w1 = (px * dy2 - across1) * inverse;
  const w2 = (across2 - px * dy1) * inverse;
  return 1 - w1 - w2 >= -1e-9 && w1 >= -1e-9 && w2 >= -1e-9;
}
