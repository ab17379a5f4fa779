/** From luma and subsampled chroma, as ffmpeg hands films over cheapest, to R, G, B. */
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import type { VideoFrame } from './video-frame.ts';

/** Numbers of a matrix: what red gets of Cr, green of Cb and Cr, and blue of Cb, in the narrow range. */
type Matrix = readonly [redCr: number, greenCb: number, greenCr: number, blueCb: number];

/** By the name that ffmpeg gives a colour space. Source: ITU-R BT.601, BT.709, BT.2020. */
const MATRICES: readonly (readonly [name: RegExp, matrix: Matrix])[] = [
  [/\bbt709\b/, matrixOf(0.2126, 0.0722)],
  [/\bbt2020/, matrixOf(0.2627, 0.0593)],
];
/** What is assumed of films that do not say, as ffmpeg does. */
const BT601 = matrixOf(0.299, 0.114);
const ONE = 16384;

/** @param kr - share of red in luma; @param kb - share of blue. */
function matrixOf(kr: number, kb: number): Matrix {
  const kg = 1 - kr - kb;
  const chroma = 255 / 224;
  return [
    2 * (1 - kr) * chroma,
    ((2 * kb * (1 - kb)) / kg) * chroma,
    ((2 * kr * (1 - kr)) / kg) * chroma,
    2 * (1 - kb) * chroma,
  ];
}

/** The matrix of a stream that ffmpeg describes as `yuv420p(tv, bt709, progressive)` or in the like. */
export function matrixNamedIn(description: string): Matrix {
  return MATRICES.find(([name]) => name.test(description))?.[1] ?? BT601;
}

/**
 * Writes the pixels of a picture to `data` [height, width, 3].
 *
 * @param planes - luma [height, width], under it rows of Cb and Cr side by side, each [height / 2, width / 2]; width and
 *   height are even.
 */
export function yuvToRgb(
  { data: planes, width, height }: VideoFrame,
  [redCr, greenCb, greenCr, blueCb]: Matrix,
  data: Uint8Array,
): void {
  const kernels = pixelKernels();
  const length = 3 * width * height;
  const [source, target] = kernels.layOut([planes.length + 8, length + 28]);
  kernels.bytes(source, planes.length).set(planes);
  const q14 = (value: number): number => Math.round(value * ONE);
  for (let y = 0; y < height; y++) {
    const cb = source + width * (height + (y >> 1));
    kernels.run.rowToRgb(
      target + 3 * width * y,
      source + width * y,
      cb,
      cb + width / 2,
      width,
      q14(redCr),
      q14(greenCb),
      q14(greenCr),
      q14(blueCb / 2),
    );
  }
  data.set(kernels.bytes(target, length));
}
