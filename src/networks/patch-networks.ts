/** The networks of a bundle whose codec is the patch transform and whose denoiser changes a warped portrait. */

import type { SceneReference } from '../models/frame-conditions.ts';
import { BundleNetworks, type LoadNetworksOptions } from './bundle-networks.ts';
import type { FrameToDecode, NamedInputs } from './clip-networks.ts';

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

  /** @returns [3, S, S] for each frame: picture minus warped portrait. */
  async decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]> {
    const { decodeFrames } = this;
    const [channels, height, width] = this.frameShape;
    const plane = height * width;
    const size = this.bundle.description.resolution;
    const pixels = 3 * size * size;
    const data = new Float32Array(channels * decodeFrames * plane);
    const base = new Float32Array(decodeFrames * pixels);
    frames.forEach(({ latents, conditions }, f) => {
      for (let c = 0; c < channels; c++) {
        data.set(latents.data.subarray(c * plane, (c + 1) * plane), (c * decodeFrames + f) * plane);
      }
      base.set(conditions!.base!, f * pixels);
    });
    const inputs = {
      latents: { data, dims: [1, channels, decodeFrames, height, width] },
      base: { data: base, dims: [decodeFrames, 3, size, size] },
    };
    const { difference } = await this.use('decoder', (network) => network.run(inputs, { transfer: true }));
    return frames.map((_, f) => difference!.data.slice(f * pixels, (f + 1) * pixels));
  }
}
