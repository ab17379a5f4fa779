import { ANIPORTRAIT_UNET, type UnetConfig } from '../../src/models/unet-config.ts';

/** AniPortrait's UNet with a tenth of its widths, as in test/golden/networks. */
export const SMALL_UNET: UnetConfig = {
  ...ANIPORTRAIT_UNET,
  blockOutChannels: [32, 64, 128, 128],
  crossAttentionDim: 32,
};
