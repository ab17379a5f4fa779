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

/** Size in pixels of the pictures that networks see. */
export function pictureSizeOf({
  resolution,
  pictureSize,
}: Pick<BundleDescription, 'resolution' | 'pictureSize'>): SpatialSize {
  return pictureSize ?? { height: resolution, width: resolution };
}

/** Size of the latents of one frame. */
export function latentSize(description: BundleDescription): SpatialSize {
  const { height, width } = pictureSizeOf(description);
  const pixels = pixelsPerCell(description.codec);
  return { height: height / pixels, width: width / pixels };
}
