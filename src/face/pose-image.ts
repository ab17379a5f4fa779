/**
 * Draws landmarks as the picture that tells the denoiser where the face and its lips are.
 *
 * Source: AniPortrait, FaceMeshVisualizer (groups, colours and order; commit 7f6593f).
 */
import { assertIntegerInRange, ShapeError } from '../errors.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import { type Colour, drawLine } from './line-rasteriser.ts';

/** Width and height of the drawing before it is resized. */
export const POSE_IMAGE_SIZE = 512;
const MAX_SIZE = 8192;

/** Chains of landmarks with their colours, in drawing order. Colours are channels 0, 1, 2 as the network receives them. */
const GROUPS: readonly { readonly colour: Colour; readonly chains: readonly (readonly number[])[] }[] = [
  // Face oval without the forehead.
  {
    colour: [10, 200, 10],
    chains: [
      [
        21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288,
        361, 323, 454, 356, 389, 251,
      ],
    ],
  },
  // Left eye and eyebrow (the person's).
  {
    colour: [180, 200, 10],
    chains: [
      [263, 249, 390, 373, 374, 380, 381, 382, 362],
      [263, 466, 388, 387, 386, 385, 384, 398, 362],
    ],
  },
  {
    colour: [180, 220, 10],
    chains: [
      [276, 283, 282, 295, 285],
      [300, 293, 334, 296, 336],
    ],
  },
  // Right eye and eyebrow.
  {
    colour: [10, 200, 180],
    chains: [
      [33, 7, 163, 144, 145, 153, 154, 155, 133],
      [33, 246, 161, 160, 159, 158, 157, 173, 133],
    ],
  },
  {
    colour: [10, 220, 180],
    chains: [
      [46, 53, 52, 65, 55],
      [70, 63, 105, 66, 107],
    ],
  },
  // Lips: outer bottom, inner bottom, outer top, inner top, each right half first.
  { colour: [10, 180, 20], chains: [[61, 146, 91, 181, 84, 17]] },
  { colour: [20, 10, 180], chains: [[17, 314, 405, 321, 375, 291]] },
  { colour: [100, 100, 30], chains: [[78, 95, 88, 178, 87, 14]] },
  { colour: [100, 150, 50], chains: [[14, 317, 402, 318, 324, 308]] },
  { colour: [20, 80, 100], chains: [[61, 185, 40, 39, 37, 0]] },
  { colour: [80, 100, 20], chains: [[0, 267, 269, 270, 409, 291]] },
  { colour: [120, 100, 200], chains: [[78, 191, 80, 81, 82, 13]] },
  { colour: [150, 120, 100], chains: [[13, 312, 311, 310, 415, 308]] },
];
const POINT_COUNT = 468;

/**
 * Draws a face. Edges that touch a landmark outside of the image are left out.
 *
 * @param points - [468 · 2] px of an image of the given size; further points are ignored.
 * @param canvas - memory of a drawing that nobody needs any more, which the new one takes. @defaultValue fresh memory
 * @returns a picture of 512 × 512, black where nothing is drawn.
 * @throws {@link ShapeError} if there are fewer than 468 points.
 */
export function drawPoseImage(
  points: ArrayLike<number>,
  { width, height }: { readonly width: number; readonly height: number },
  canvas?: Uint8Array,
): RgbImage {
  if (points.length < POINT_COUNT * 2) {
    throw new ShapeError(
      `Cannot draw a face: expected ${POINT_COUNT} points with x and y, got ${points.length} values`,
    );
  }
  const size = POSE_IMAGE_SIZE;
  const image = { data: canvas?.fill(0) ?? new Uint8Array(size * size * 3), width: size, height: size };
  // The original keeps normalised landmarks in float32, which decides some pixels.
  const coordinate = (index: number): number =>
    Math.fround(points[index]! / (index % 2 === 0 ? width : height));
  const toPixel = (value: number): number => Math.min(Math.floor(value * size), size - 1);
  const drawable = (value: number): boolean => value >= 0 && value <= 1;
  for (const { colour, chains } of GROUPS) {
    for (const chain of chains) {
      for (let i = 1; i < chain.length; i++) {
        const [from, to] = [chain[i - 1]! * 2, chain[i]! * 2];
        const [x0, y0, x1, y1] = [coordinate(from), coordinate(from + 1), coordinate(to), coordinate(to + 1)];
        if (!(drawable(x0) && drawable(y0) && drawable(x1) && drawable(y1))) continue;
        drawLine(image, toPixel(x0), toPixel(y0), toPixel(x1), toPixel(y1), colour);
      }
    }
  }
  return image;
}

/** Fractional bits of the interpolation weights. */
const WEIGHT_ONE = 2048;

/** Source positions and weights of one axis. */
function axisWeights(from: number, to: number): { index: Int32Array; second: Int32Array } {
  const index = new Int32Array(to);
  const second = new Int32Array(to);
  const scale = from / to;
  for (let i = 0; i < to; i++) {
    const position = Math.fround((i + 0.5) * scale - 0.5);
    const floor = Math.floor(position);
    if (floor < 0) continue;
    index[i] = Math.min(floor, from - 1);
    if (floor < from - 1) second[i] = Math.round(Math.fround(position - floor) * WEIGHT_ONE);
  }
  return { index, second };
}

/** For each row the first and the last column that is not black; a black row has none, its last is -1. */
function drawnColumns({ data, width, height }: RgbImage): { first: Int32Array; last: Int32Array } {
  const first = new Int32Array(height).fill(width);
  const last = new Int32Array(height).fill(-1);
  // Most of a drawing is black, and passed over four bytes at a time.
  const isWhole = data.byteOffset % 4 === 0 && (width * 3) % 4 === 0;
  const words = isWhole ? new Uint32Array(data.buffer, data.byteOffset, data.length >> 2) : undefined;
  for (let y = 0; y < height; y++) {
    let from = y * width * 3;
    let to = (y + 1) * width * 3 - 1;
    if (words !== undefined) {
      let [begin, end] = [from >> 2, (to >> 2) + 1];
      while (begin < end && words[begin] === 0) begin++;
      while (begin < end && words[end - 1] === 0) end--;
      [from, to] = [4 * begin, 4 * end - 1];
    }
    while (from <= to && data[from] === 0) from++;
    if (from > to) continue;
    while (data[to] === 0) to--;
    first[y] = Math.floor(from / 3) - y * width;
    last[y] = Math.floor(to / 3) - y * width;
  }
  return { first, last };
}

/**
 * Resizes a drawing bilinearly without antialiasing, in OpenCV's integer arithmetic; returns `image` itself when the
 * size is already right.
 *
 * @throws {@link InvalidOptionError} unless `width` and `height` are integers from 1 to 8192.
 */
export function resizePoseImage(image: RgbImage, width: number, height: number): RgbImage {
  assertIntegerInRange('width', width, 1, MAX_SIZE);
  assertIntegerInRange('height', height, 1, MAX_SIZE);
  if (width === image.width && height === image.height) return image;
  const columns = axisWeights(image.width, width);
  const rows = axisWeights(image.height, height);
  const drawn = drawnColumns(image);
  const kernels = pixelKernels();
  const length = width * height * 3;
  // The kernel reads four bytes of a pixel.
  const blocks = [image.data.length + 1, length, 4 * width, 4 * width, 4 * width] as const;
  const [source, target, left, right, shares] = kernels.layOut(blocks);
  // What is read is between the first row that has something in it and the last.
  const firstRow = Math.max(0, drawn.last.findIndex((column) => column >= 0) - 1);
  const rowsEnd = Math.min(image.height, drawn.last.findLastIndex((column) => column >= 0) + 2);
  const inPicture = image.data.subarray(3 * image.width * firstRow, 3 * image.width * rowsEnd);
  kernels.bytes(source + 3 * image.width * firstRow, inPicture.length).set(inPicture);
  kernels.integers(left, width).set(columns.index);
  kernels.integers(right, width).set(columns.index.map((index) => Math.min(index + 1, image.width - 1)));
  kernels.integers(shares, width).set(columns.second);
  const data = kernels.bytes(target, length).fill(0);
  for (let y = 0; y < height; y++) {
    const topRow = rows.index[y]!;
    const bottomRow = Math.min(topRow + 1, image.height - 1);
    // Black stays black, and most of a drawing is.
    const first = Math.min(drawn.first[topRow]!, drawn.first[bottomRow]!);
    const last = Math.max(drawn.last[topRow]!, drawn.last[bottomRow]!);
    if (last < 0) continue;
    const from = Math.max(0, Math.floor(((first - 1) * width) / image.width) - 1);
    const to = Math.min(width - 1, Math.ceil(((last + 1) * width) / image.width) + 1);
    const [top, bottom] = [source + topRow * image.width * 3, source + bottomRow * image.width * 3];
    kernels.run.resizeRow(
      target + y * width * 3,
      from,
      to,
      top,
      bottom,
      rows.second[y]!,
      left,
      right,
      shares,
    );
  }
  return { data: data.slice(), width, height };
}
