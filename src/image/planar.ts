/** Pictures as networks see them: planes of floats in [−1, 1]. */
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import type { RgbImage } from './rgb-image.ts';

/** The kernels read whole vectors. */
const PADDING = 16;

/**
 * Writes a picture's three planes into `out`, beginning at `offset`.
 *
 * @returns `out`.
 */
export function toPlanar({ data, width, height }: RgbImage, out: Float32Array, offset = 0): Float32Array {
  const count = width * height;
  const kernels = pixelKernels();
  const whole = Math.ceil(count / 4) * 4;
  const [planes, source] = kernels.layOut([12 * whole, data.length + PADDING]);
  kernels.bytes(source, data.length).set(data);
  kernels.run.toPlanes(planes, source, whole);
  for (let c = 0; c < 3; c++) out.set(kernels.floats(planes + 4 * whole * c, count), offset + count * c);
  return out;
}

/** Writes bytes as floats, 0 as −1 and 255 as 1, into `out`, beginning at `offset`. */
export function toSignedFloats(values: Uint8Array, out: Float32Array, offset: number): void {
  const kernels = pixelKernels();
  const whole = Math.ceil(values.length / 4) * 4;
  const [plane, source] = kernels.layOut([4 * whole, whole]);
  kernels.bytes(source, values.length).set(values);
  kernels.run.toPlane(plane, source, whole);
  out.set(kernels.floats(plane, values.length), offset);
}
