/** How much memory a network takes while it is open and runs on the CPU. */
import { type BundleDescription, latentSize } from '../models/bundle-description.ts';
import { describeClipVision } from '../models/clip-vision.ts';
import { describeDenoisingUnet } from '../models/denoising-unet.ts';
import { describePoseGuider } from '../models/pose-guider.ts';
import { describeReferenceUnet } from '../models/reference-unet.ts';
import { describeVae } from '../models/vae.ts';
import { countParameters, type NetworkDescription } from '../models/weight-reader.ts';
import type { NetworkName } from './bundle-graphs.ts';

/** A network's weights and operations at a bundle's size; undefined where they are nothing. */
export function describeNetwork(
  description: BundleDescription,
  name: NetworkName,
  windowFrames: number,
): NetworkDescription | undefined {
  const { denoisingUnet, poseGuider, imageEncoder, codec, resolution } = description;
  const latents = latentSize(description);
  const picture = { height: resolution, width: resolution };
  const conditional = name === 'denoising-unet';
  switch (name) {
    case 'image-encoder':
      return imageEncoder === null ? undefined : describeClipVision(imageEncoder);
    case 'portrait-encoder':
      return codec.type === 'autoencoder-kl' ? describeVae(codec, picture).encoder : undefined;
    case 'decoder':
      return codec.type === 'autoencoder-kl' ? describeVae(codec, picture).decoder : undefined;
    case 'reference-unet':
      return describeReferenceUnet(denoisingUnet, latents);
    case 'pose-guider':
      return describePoseGuider(poseGuider, { ...picture, frames: windowFrames });
    case 'denoising-unet':
    case 'unconditional-denoising-unet':
      return describeDenoisingUnet(denoisingUnet, {
        ...latents,
        frames: windowFrames,
        reference: conditional ? 'keys-values' : 'none',
        imageEmbeds: conditional ? 'input' : 'none',
        poseFeatures: true,
      });
  }
}

/** Bytes that a network takes at most while it is open, inputs and outputs included. */
export function networkBytes(
  description: BundleDescription,
  name: NetworkName,
  windowFrames: number,
): number {
  const network = describeNetwork(description, name, windowFrames);
  if (network === undefined) return 0;
  return 4 * countParameters(network.weights);
}
