/** Pictures as networks see them: planes of floats in [−1, 1]. */
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import type { RgbImage } from './rgb-image.ts';

/** A picture's bytes, interleaved. Networks see 0 as −1 and 255 as 1, and each channel as a plane. */
export interface SeenPicture {
  readonly data: Uint8Array;
  readonly channels: 1 | 3;
}

/** The kernels read whole vectors. */
const PADDING = 16;

/**
 * Writes a picture's three planes into `out`, beginning at `offset`.
 *
 * @returns `out`.
 */
export function toPlanar({ data }: Pick<RgbImage, 'data'>, out: Float32Array, offset = 0): Float32Array {
  const count = data.length / 3;
  const kernels = pixelKernels();
  const whole = Math.ceil(count / 4) * 4;
  const [planes, source] = kernels.layOut([12 * whole, data.length + PADDING]);
  kernels.bytes(source, data.length).set(data);
  kernels.run.toPlanes(planes, source, whole);
  for (let c = 0; c < 3; c++) out.set(kernels.floats(planes + 4 * whole * c, count), offset + count * c);
  return out;
}

/** Writes what networks see of pictures into `out`, one behind the other, beginning at `offset`. */
export function writeSeen(pictures: readonly SeenPicture[], out: Float32Array, offset: number): void {
  let at = offset;
  for (const picture of pictures) {
    if (picture.channels === 3) toPlanar(picture, out, at);
    else toSignedFloats(picture.data, out, at);
    at += picture.data.length;
  }
}

/** Writes bytes as floats, 0 as −1 and 255 as 1, into `out`, beginning at `offset`. */
function toSignedFloats(values: Uint8Array, out: Float32Array, offset: number): void {
  const kernels = pixelKernels();
  const whole = Math.ceil(values.length / 4) * 4;
  const [plane, source] = kernels.layOut([4 * whole, whole]);
  kernels.bytes(source, values.length).set(values);
  kernels.run.toPlane(plane, source, whole);
  out.set(kernels.floats(plane, values.length), offset);
}
