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
 * see scripts/results/memory.md. The pose guider is open beside the denoiser, but does not run with it: what is counted is what stays.
 */
const LIVE_TENSORS = { vae: 10.5, unet: 150, guider: 3 } as const;
/** Weights of graphs against those of checkpoints: upsampling has four small kernels for each large one. */
const GRAPH_WEIGHTS = 1.03;
/**
 * Bytes for each weight of a network that keeps them in half precision: the weight itself, and what is left of the memory that others were
 * widened in; measured on the published sizes, too.
 */
export const KEPT_IN_HALF = 2.9;

/** Values in a network's weights. */
interface ParameterCount {
  /** In the checkpoint. */
  readonly all: number;
  /** In the graph. */
  readonly used: number;
}

/** By configuration: a network has the same weights at every size of picture and window, and its description takes long to write. */
const counted = new WeakMap<object, Map<NetworkName, ParameterCount>>();

/** How large a network is; undefined where it is nothing. */
export function parametersOf(description: BundleDescription, name: NetworkName): ParameterCount | undefined {
  const config = configOf(description, name);
  if (config === undefined) return undefined;
  const ofConfig = counted.get(config) ?? new Map<NetworkName, ParameterCount>();
  counted.set(config, ofConfig);
  const known = ofConfig.get(name);
  if (known !== undefined) return known;
  const { weights } = describeNetwork(description, name, 1)!;
  const used = countParameters(weights.filter((weight) => weight.used));
  const count = { all: countParameters(weights), used };
  ofConfig.set(name, count);
  return count;
}

/** The part of a description that decides which weights a network has; undefined where it is nothing. */
function configOf(description: BundleDescription, name: NetworkName): object | undefined {
  const { denoisingUnet, poseGuider, imageEncoder, codec } = description;
  switch (name) {
    case 'image-encoder':
      return imageEncoder ?? undefined;
    case 'portrait-encoder':
    case 'decoder':
      return codec.type === 'autoencoder-kl' ? codec : undefined;
    case 'pose-guider':
      return poseGuider;
    case 'reference-unet':
    case 'denoising-unet':
    case 'unconditional-denoising-unet':
      return denoisingUnet;
  }
}

/** Bytes that a network takes at most while it is open, inputs and outputs included. */
export function networkBytes(
  description: BundleDescription,
  name: NetworkName,
  options: NetworkMemoryOptions,
): number {
  if (configOf(description, name) === undefined) return 0;
  const weights = weightBytes(description, name, options.lowMemory ? KEPT_IN_HALF : 4);
  return weights + activationBytes(description, name, options);
}

/** Bytes of a network's weights, of so many bytes each. */
export function weightBytes(description: BundleDescription, name: NetworkName, bytesEach: number): number {
  return GRAPH_WEIGHTS * bytesEach * (parametersOf(description, name)?.used ?? 0);
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
    case 'pose-guider': {
      const { out, stride } = poseGuider.stem[0]!;
      return (LIVE_TENSORS.guider * 4 * pixels * windowFrames * out) / stride ** 2;
    }
    case 'denoising-unet':
    case 'unconditional-denoising-unet':
      return windowActivations(description, windowFrames) * piecesShare(piecesOf(windowFrames, fewAtOnce));
  }
}
