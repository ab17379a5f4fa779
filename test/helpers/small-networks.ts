import { ANIPORTRAIT_CLIP, type ClipVisionConfig } from '../../src/models/clip-config.ts';
import { ANIPORTRAIT_POSE_GUIDER, type PoseGuiderConfig } from '../../src/models/pose-guider.ts';
import { ANIPORTRAIT_UNET, type UnetConfig } from '../../src/models/unet-config.ts';
import { STABLE_DIFFUSION_VAE, type VaeConfig } from '../../src/models/vae.ts';

/** AniPortrait's UNet with a tenth of its widths, as in test/golden/networks. */
export const SMALL_UNET: UnetConfig = {
  ...ANIPORTRAIT_UNET,
  blockOutChannels: [32, 64, 128, 128],
  crossAttentionDim: 32,
};

/** Its pose guider. */
export const SMALL_POSE_GUIDER: PoseGuiderConfig = {
  ...ANIPORTRAIT_POSE_GUIDER,
  outChannels: 32,
  stages: ANIPORTRAIT_POSE_GUIDER.stages.map(({ convs }) => ({
    convs: convs.map(({ out, stride }) => ({ out: out / 10, stride })),
    attention: { numHeads: 16, headDim: 4 },
  })),
};

/** Its autoencoder with a quarter of the widths. */
export const SMALL_VAE: VaeConfig = { ...STABLE_DIFFUSION_VAE, blockOutChannels: [32, 64, 128, 128] };

/** Its image encoder. */
export const SMALL_CLIP: ClipVisionConfig = {
  ...ANIPORTRAIT_CLIP,
  hiddenSize: 64,
  intermediateSize: 128,
  numLayers: 3,
  numHeads: 4,
  projectionDim: 32,
};
