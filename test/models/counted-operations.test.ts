/** Operations of a denoiser against PyTorch's own count. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBundle } from '../../src/models/bundle.ts';
import { describeDenoisingUnet } from '../../src/models/denoising-unet.ts';

const { denoisingUnet } = (await openBundle('tiny')).description;
const FRAMES = 12;
/** torch.utils.flop_counter of PyTorch 2.13 over scripts/train/networks.py: scripts/bench/measure-torch.ts --flops. */
const COUNTED = 30_616_780_800;

test('operations of a denoiser are those that PyTorch counts', () => {
  const { flops } = describeDenoisingUnet(denoisingUnet, {
    height: 32,
    width: 32,
    frames: FRAMES,
    reference: 'keys-values',
    poseFeatures: true,
  });
  // There, the time embedding and its projections run once for every frame.
  const residualBlocks = 64 + 96 + 128 + 2 * 128 + 2 * 128 + 2 * 96 + 2 * 64;
  const embedding = 2 * (64 * 256 + 256 * 256 + 256 * residualBlocks);
  // And nine taps, of which four are left here, read every pixel that was made twice as large.
  const upsampling = 2 * FRAMES * 5 * (16 ** 2 * 128 ** 2 + 32 ** 2 * 96 ** 2);
  assert.equal(flops + (FRAMES - 1) * embedding + upsampling, COUNTED);
});
