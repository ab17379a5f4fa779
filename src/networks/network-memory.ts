/** How much memory a network takes while it is open and runs on the CPU. */
import { type BundleDescription, latentSize, pictureSizeOf } from '../models/bundle-description.ts';
import { describeClipVision } from '../models/clip-vision.ts';
import { describeDenoisingUnet } from '../models/denoising-unet.ts';
import { describePoseGuider } from '../models/pose-guider.ts';
import { describeReferenceUnet } from '../models/reference-unet.ts';
import { describeVae } from '../models/vae.ts';
import { countParameters, type NetworkDescription } from '../models/weight-reader.ts';
import { piecesOf, piecesShare } from '../models/window-pieces.ts';
import type { NetworkName } from './bundle-graphs.ts';

/** A network's weights and operations at a bundle's size; undefined where they are nothing. */
export function describeNetwork(
  description: BundleDescription,
  name: NetworkName,
  windowFrames: number,
): NetworkDescription | undefined {
  const { denoisingUnet, poseGuider, imageEncoder, codec } = description;
  const latents = latentSize(description);
  const picture = pictureSizeOf(description);
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

/** What a network's memory depends on besides its bundle. */
interface NetworkMemoryOptions {
  readonly windowFrames: number;
  /** Weights in half precision. @defaultValue false */
  readonly lowMemory?: boolean | undefined;
  /** Windows in more pieces. @defaultValue `lowMemory` */
  readonly fewAtOnce?: boolean | undefined;
}

/**
 * Activations that are alive at once, in tensors of a network's first width at its full size; measured on the published sizes,
 * see scripts/results/memory.md.
 */
const LIVE_TENSORS = { vae: 10.5, unet: 150, guider: 12 } as const;
/** Weights of graphs against those of checkpoints: upsampling has four small kernels for each large one. */
const GRAPH_WEIGHTS = 1.03;

/** Bytes that a network takes at most while it is open, inputs and outputs included. */
export function networkBytes(
  description: BundleDescription,
  name: NetworkName,
  options: NetworkMemoryOptions,
): number {
  const { windowFrames, lowMemory } = options;
  if (describeNetwork(description, name, windowFrames) === undefined) return 0;
  const weights = weightBytes(description, name, windowFrames, lowMemory ? 2 : 4);
  return weights + activationBytes(description, name, options);
}

/** Bytes of a network's weights, of so many bytes each. */
export function weightBytes(
  description: BundleDescription,
  name: NetworkName,
  windowFrames: number,
  bytesEach: number,
): number {
  const network = describeNetwork(description, name, windowFrames);
  const used = network?.weights.filter((weight) => weight.used) ?? [];
  return GRAPH_WEIGHTS * bytesEach * countParameters(used);
}

/** Bytes of one tensor of the denoiser's first width, for one frame. */
function unetTensorBytes(description: BundleDescription): number {
  const { height, width } = latentSize(description);
  return 4 * height * width * description.denoisingUnet.blockOutChannels[0]!;
}

/** Bytes of activations that are alive at once in a denoiser that computes a whole window in float32. */
export function windowActivations(description: BundleDescription, windowFrames: number): number {
  return LIVE_TENSORS.unet * unetTensorBytes(description) * windowFrames;
}

function activationBytes(
  description: BundleDescription,
  name: NetworkName,
  { windowFrames, lowMemory = false, fewAtOnce = lowMemory }: NetworkMemoryOptions,
): number {
  const { codec, poseGuider } = description;
  const { height, width } = pictureSizeOf(description);
  const pixels = height * width;
  switch (name) {
    case 'image-encoder':
      return 0;
    case 'portrait-encoder':
    case 'decoder':
      return codec.type === 'autoencoder-kl' ? LIVE_TENSORS.vae * 4 * pixels * codec.blockOutChannels[0]! : 0;
    case 'reference-unet':
      return LIVE_TENSORS.unet * unetTensorBytes(description);
    case 'pose-guider':
      return LIVE_TENSORS.guider * 4 * pixels * windowFrames * poseGuider.stem[0]!.out;
    case 'denoising-unet':
    case 'unconditional-denoising-unet':
      return windowActivations(description, windowFrames) * piecesShare(piecesOf(windowFrames, fewAtOnce));
  }
}
