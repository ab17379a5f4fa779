/** The networks of a bundle with a convolutional autoencoder, whose denoiser makes the whole picture: AniPortrait's. */
import { type AutoencoderKlConfig, pictureSizeOf } from '../models/bundle-description.ts';
import type { SceneReference } from '../models/frame-conditions.ts';
import { BundleNetworks } from './bundle-networks.ts';
import type { FrameToDecode, NamedInputs } from './clip-networks.ts';
import type { LoadNetworksOptions } from './load-options.ts';

/** See {@link ClipNetworks}. */
export class AniPortraitNetworks extends BundleNetworks {
  /** A picture of 512 pixels is 2.5 TFLOP: there is nothing to gain by several at once. */
  readonly decodeFrames = 1;
  readonly decodesOverBase = false;
  readonly #scalingFactor: number;

  private constructor(options: LoadNetworksOptions, codec: AutoencoderKlConfig) {
    super(options);
    this.#scalingFactor = codec.scalingFactor;
  }

  /** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
  static async load(options: LoadNetworksOptions, codec: AutoencoderKlConfig): Promise<AniPortraitNetworks> {
    const networks = new AniPortraitNetworks(options, codec);
    const encoder = options.bundle.description.imageEncoder === null ? [] : (['image-encoder'] as const);
    await networks.load([...encoder, 'portrait-encoder', 'reference-unet', 'decoder'], options);
    return networks;
  }

  async encodePortrait({ picture, encoderPicture }: SceneReference): Promise<NamedInputs> {
    const { imageEncoder } = this.bundle.description;
    const { height, width } = pictureSizeOf(this.bundle.description);
    const embedding: NamedInputs = {};
    if (imageEncoder !== null) {
      const { imageSize } = imageEncoder;
      const pixels = { data: encoderPicture!, dims: [1, 3, imageSize, imageSize] };
      const { image_embeds } = await this.use('image-encoder', (network) =>
        network.run({ pixel_values: pixels }),
      );
      Object.assign(embedding, { image_embeds });
    }
    const image = { data: picture, dims: [1, 3, height, width] };
    const { mean } = await this.use('portrait-encoder', (network) => network.run({ image }));
    const latents = { data: mean!.data.map((value) => value * this.#scalingFactor), dims: mean!.dims };
    return { latents, ...embedding };
  }

  /** @returns [3, H, W] in about [−1, 1] for each frame. */
  async decode(frames: readonly FrameToDecode[]): Promise<Float32Array[]> {
    const [channels, height, width] = this.frameShape;
    const pictures: Float32Array[] = [];
    for (const { latents } of frames) {
      const data = latents.data.map((value) => value / this.#scalingFactor);
      const dims = [1, channels, height, width];
      const decoded = await this.use('decoder', (network) =>
        network.run({ latents: { data, dims } }, { transfer: true }),
      );
      pictures.push(decoded.image!.data);
    }
    return pictures;
  }
}
