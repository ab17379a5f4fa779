/** A window in pieces gives what it gives as a whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildDenoisingUnet, describeDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { goldenWeights } from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { SMALL_UNET } from '../helpers/small-networks.ts';

/** Rows and frames that four pieces do not divide evenly. */
const SIZE = { height: 10, width: 8, frames: 5 };
const OPTIONS = { ...SIZE, reference: 'none', imageEmbeds: 'none', poseFeatures: false } as const;
/** Matrix products of other shapes sum in another order. */
const ROUNDING = { rtol: 1e-4, atol: 2e-5 };

function inputs(): Record<string, Tensor> {
  const dims = [1, 4, SIZE.frames, SIZE.height, SIZE.width];
  const data = new RandomStream([3]).fillNormal(new Float32Array(elementCount(dims)));
  return { latents: tensor(data, dims), timestep: tensor(Float32Array.of(499), [1]) };
}

test('four and eight pieces give the numbers of one, with as many operations', async () => {
  const { weights, flops } = describeDenoisingUnet(SMALL_UNET, OPTIONS);
  const source = goldenWeights(
    'denoising_unet',
    weights.map(({ key, dims }) => [key, dims]),
  );
  const outputs: Float32Array[] = [];
  for (const pieces of [1, 4, 8]) {
    // The time embedding, one row, is projected for each piece.
    const again = describeDenoisingUnet(SMALL_UNET, { ...OPTIONS, pieces }).flops;
    assert.ok(again >= flops && again < 1.02 * flops, `${again} ${flops}`);
    const network = await loadOrtNetwork(
      'unet',
      buildDenoisingUnet(SMALL_UNET, source, { ...OPTIONS, pieces }),
    );
    outputs.push((await network.run(inputs())).model_output!.data);
    await network.dispose();
  }
  assertAllClose(outputs[1]!, outputs[0]!, ROUNDING);
  assertAllClose(outputs[2]!, outputs[0]!, ROUNDING);
});
