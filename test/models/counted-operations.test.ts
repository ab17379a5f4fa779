/** Operations of a denoiser against PyTorch's own count. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import type { UnetConfig } from '../../src/models/unet-config.ts';

const CONFIG: UnetConfig = {
  inChannels: 16,
  outChannels: 16,
  blockOutChannels: [64, 96, 128],
  layersPerBlock: 1,
  attentionLevels: [false, true, true],
  midBlockAttention: true,
  numHeads: [2, 4, 4],
  crossAttentionDim: null,
  normNumGroups: 8,
  motion: {
    levels: [false, true, true],
    midBlock: true,
    numHeads: 4,
    numAttentionBlocks: 1,
    positionalTableLength: 32,
  },
};
const FRAMES = 12;
/** torch.utils.flop_counter of PyTorch 2.13 over scripts/train/networks.py: scripts/measure-torch.ts --flops. */
const COUNTED = 30_616_780_800;

test('operations of a denoiser are those that PyTorch counts', () => {
  const { flops } = describeDenoisingUnet(CONFIG, {
    ...{ height: 32, width: 32, frames: FRAMES, reference: 'keys-values', poseFeatures: true },
  });
  // There, the time embedding and its projections run once for every frame.
  const residualBlocks = 64 + 96 + 128 + 2 * 128 + 2 * 128 + 2 * 96 + 2 * 64;
  const embedding = 2 * (64 * 256 + 256 * 256 + 256 * residualBlocks);
  assert.equal(flops + (FRAMES - 1) * embedding, COUNTED);
});
