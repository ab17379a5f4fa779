/** What `bundle.json` says: the networks of a bundle, how to sample with them, and the files of their weights. */
import type { BundleDescription, CodecConfig } from './bundle-schema.ts';
import type { SpatialSize } from './unet-config.ts';

export type {
  AutoencoderKlConfig,
  BundleDescription,
  BundleFile,
  BundlePreset,
  CodecConfig,
} from './bundle-schema.ts';
export {
  type BundlePart,
  POSE_GUIDER_VARIANTS,
  type PoseGuiderVariant,
} from './bundle-terms.ts';

/** The version of `bundle.json` that this program reads and writes. */
export const BUNDLE_FORMAT = 1;

/** Pixels that one latent cell stands for, in each direction. */
function pixelsPerCell(codec: CodecConfig): number {
  return codec.type === 'patch-transform' ? codec.patchSize : 2 ** (codec.blockOutChannels.length - 1);
}

/** Size of the latents of one frame. */
export function latentSize({ resolution, codec }: BundleDescription): SpatialSize {
  const cells = resolution / pixelsPerCell(codec);
  return { height: cells, width: cells };
}
