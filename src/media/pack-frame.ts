/** Frames in the form that an encoder takes them in. */
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import type { VideoFrame } from './video-frame.ts';

/** ffmpeg's names of what is handed to an encoder: three bytes a pixel, four, or planes of luma and of smaller chroma. */
export type RawPixels = 'rgb24' | 'rgba' | 'yuv420p';

/**
 * A frame's planes of Y′, Cb and Cr, one after another: BT.709, narrow range, a chroma sample for each square of four pixels.
 * Made here, they are half as much to hand over, and ffmpeg's own exact conversion takes three times as long.
 *
 * @param frame - three bytes a pixel; width and height are even.
 * @param out - `width · height · 3/2` bytes, overwritten.
 */
export function packYuv420({ data, width, height }: VideoFrame, out: Uint8Array): void {
  const kernels = pixelKernels();
  const pixels = width * height;
  const [source, packed] = kernels.layOut([data.length, out.length]);
  kernels.bytes(source, data.length).set(data);
  const [cb, cr] = [packed + pixels, packed + pixels + pixels / 4];
  for (let y = 0; y < height; y += 2) {
    const row = source + 3 * y * width;
    const luma = packed + y * width;
    const chroma = (y / 2) * (width / 2);
    kernels.run.toYuv420(row, row + 3 * width, width, luma, luma + width, cb + chroma, cr + chroma);
  }
  out.set(kernels.bytes(packed, out.length));
}
