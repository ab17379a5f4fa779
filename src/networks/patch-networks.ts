/** The networks of a bundle whose codec is the patch transform and whose denoiser changes a warped portrait. */

import { toPlanar } from '../image/planar.ts';
import type { PixelBox, SceneReference } from '../models/frame-conditions.ts';
import { patchDecoderReach } from '../models/patch-transform.ts';
import { BundleNetworks } from './bundle-networks.ts';
import type { FrameToDecode, NamedInputs } from './clip-networks.ts';
import type { LoadNetworksOptions } from './load-options.ts';

const COLOURS = 3;

/** See {@link ClipNetworks}. */
export class PatchNetworks extends BundleNetworks {
  /** More gain nothing. */
  readonly decodeFrames = 4;
  readonly decodesOverBase = true;

  /** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
  static async load(options: LoadNetworksOptions): Promise<PatchNetworks> {
    const networks = new PatchNetworks(options);
    await networks.load(['portrait-encoder', 'reference-unet', 'decoder'], options);
    return networks;
  }

  async encodePortrait({ picture }: SceneReference): Promise<NamedInputs> {
    const { resolution } = this.bundle.description;
    const input = { picture: { data: picture, dims: [1, 3, resolution, resolution] } };
    const { latents } = await this.use('portrait-encoder', (network) => network.run(input));
    return { latents: latents! };
  }

  /** @returns [3, S, S] for each frame: picture minus warped portrait, where it is shown. */
  async decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]> {
    const { decodeFrames } = this;
    const [channels] = this.frameShape;
    const size = this.bundle.description.resolution;
    const box = this.#partToDecode(frames);
    const cell = this.#patchSize;
    const cells = {
      left: box.left / cell,
      top: box.top / cell,
      right: box.right / cell,
      bottom: box.bottom / cell,
    };
    const [rows, columns] = [cells.bottom - cells.top, cells.right - cells.left];
    const [height, width] = [rows * cell, columns * cell];
    const data = new Float32Array(decodeFrames * channels * rows * columns);
    const base = new Float32Array(decodeFrames * COLOURS * height * width);
    frames.forEach(({ latents, base: over }, f) => {
      const ofFrame = data.subarray(f * channels * rows * columns);
      copyPlanes(channels, { from: latents.data, side: size / cell }, cells, ofFrame);
      toPlanar({ data: cutOut(over!.base!, size, box) }, base, f * COLOURS * height * width);
    });
    const inputs = {
      latents: { data, dims: [decodeFrames, channels, rows, columns] },
      base: { data: base, dims: [decodeFrames, COLOURS, height, width] },
    };
    const { difference } = await this.use('decoder', (network) => network.run(inputs, { transfer: true }));
    return frames.map((_, f) => {
      const whole = new Float32Array(COLOURS * size * size);
      const part = difference!.data.subarray(f * COLOURS * height * width);
      for (let row = 0; row < COLOURS * height; row++) {
        const y = Math.floor(row / height) * size + box.top + (row % height);
        whole.set(part.subarray(row * width, (row + 1) * width), y * size + box.left);
      }
      return whole;
    });
  }

  /** What is shown of any of the frames, with what its edge is decoded from, in whole patches. */
  #partToDecode(frames: readonly FrameToDecode[]): PixelBox {
    const { codec, resolution } = this.bundle.description;
    const reach = codec.type === 'patch-transform' ? patchDecoderReach(codec) : 0;
    const cell = this.#patchSize;
    const shown = frames.map(({ base }) => (this.onCpu ? base!.shown : undefined));
    const least = (side: 'left' | 'top'): number =>
      Math.max(0, Math.floor((Math.min(...shown.map((box) => box?.[side] ?? 0)) - reach) / cell) * cell);
    const most = (side: 'right' | 'bottom'): number =>
      Math.min(
        resolution,
        Math.ceil((Math.max(...shown.map((box) => box?.[side] ?? resolution)) + reach) / cell) * cell,
      );
    return { left: least('left'), top: least('top'), right: most('right'), bottom: most('bottom') };
  }

  get #patchSize(): number {
    return this.bundle.description.resolution / this.frameShape[1];
  }
}

/** A box of a square picture of three bytes a pixel. */
function cutOut(picture: Uint8Array, side: number, { left, top, right, bottom }: PixelBox): Uint8Array {
  const width = COLOURS * (right - left);
  const cut = new Uint8Array(width * (bottom - top));
  for (let row = 0; row < bottom - top; row++) {
    const begin = COLOURS * ((top + row) * side + left);
    cut.set(picture.subarray(begin, begin + width), row * width);
  }
  return cut;
}

/** Rows of planes, the part of each that lies in a box. */
function copyPlanes(
  planes: number,
  { from, side }: { readonly from: Float32Array; readonly side: number },
  { left, top, right, bottom }: PixelBox,
  to: Float32Array,
): void {
  const [width, height] = [right - left, bottom - top];
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < height; row++) {
      const begin = (plane * side + top + row) * side + left;
      to.set(from.subarray(begin, begin + width), (plane * height + row) * width);
    }
  }
}
