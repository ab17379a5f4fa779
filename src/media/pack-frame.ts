/** Frames in the form that an encoder takes them in. */
import { pixelKernels } from '../pixels/pixel-kernels.ts';
import type { FrameRegion, VideoFrame } from './video-frame.ts';

/** ffmpeg's names of what is handed to an encoder: three bytes a pixel, four, or planes of luma and of smaller chroma. */
export type RawPixels = 'rgb24' | 'rgba' | 'yuv420p';

/**
 * A clip's frames as planes of Y′, Cb and Cr, one after another: BT.709, narrow range, a chroma sample for each square of four
 * pixels. Made here, they are half as much to hand over, and ffmpeg's own exact conversion takes twice as long.
 */
export class Yuv420Packer {
  readonly #width: number;
  readonly #height: number;
  readonly #planes: Uint8Array;
  /** Where the last frame may differ from others; undefined if that is anywhere. */
  #last: FrameRegion | undefined;

  /** @param width - of all frames, even, as `height` is. */
  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#planes = new Uint8Array((width * height * 3) / 2);
  }

  /**
   * @param frame - three bytes a pixel; of one that says what has `changed`, no more than that is looked at.
   * @returns its planes, until the next call.
   */
  pack(frame: VideoFrame): Uint8Array {
    const { changed } = frame;
    const part = changed === undefined || this.#last === undefined ? undefined : union(changed, this.#last);
    this.#last = changed;
    this.#convert(frame.data, part ?? { left: 0, top: 0, width: this.#width, height: this.#height });
    return this.#planes;
  }

  #convert(data: Uint8Array, region: FrameRegion): void {
    const [width, planes] = [this.#width, this.#planes];
    const pixels = planes.length / 1.5;
    // Whole squares of four pixels.
    const left = Math.max(0, region.left) & ~1;
    const top = Math.max(0, region.top) & ~1;
    const right = Math.min(width, (region.left + region.width + 1) & ~1);
    const bottom = Math.min(this.#height, (region.top + region.height + 1) & ~1);
    const count = right - left;
    if (count <= 0) return;
    const kernels = pixelKernels();
    const [source, luma, cb, cr] = kernels.layOut([6 * count + 4, 2 * count, count / 2, count / 2]);
    const [rows, lumaRows] = [kernels.bytes(source, 6 * count), kernels.bytes(luma, 2 * count)];
    const [cbRow, crRow] = [kernels.bytes(cb, count / 2), kernels.bytes(cr, count / 2)];
    for (let y = top; y < bottom; y += 2) {
      for (const k of [0, 1]) {
        const from = 3 * ((y + k) * width + left);
        rows.set(data.subarray(from, from + 3 * count), 3 * count * k);
      }
      kernels.run.toYuv420(source, source + 3 * count, count, luma, luma + count, cb, cr);
      for (const k of [0, 1]) {
        planes.set(lumaRows.subarray(count * k, count * (k + 1)), (y + k) * width + left);
      }
      const chroma = pixels + ((y / 2) * width + left) / 2;
      planes.set(cbRow, chroma);
      planes.set(crRow, chroma + pixels / 4);
    }
  }
}

function union(a: FrameRegion, b: FrameRegion): FrameRegion {
  const left = Math.min(a.left, b.left);
  const top = Math.min(a.top, b.top);
  const width = Math.max(a.left + a.width, b.left + b.width) - left;
  return { left, top, width, height: Math.max(a.top + a.height, b.top + b.height) - top };
}
