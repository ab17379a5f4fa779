import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TorchUnet } from '../../scripts/lib/torch-unet.ts';
import { buildReferenceUnet } from '../../src/models/reference-unet.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import {
  assertGolden,
  goldenCase,
  goldenInput,
  goldenWeights,
  readGoldenFile,
} from '../helpers/golden-weights.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { noTorch, PYTHON } from '../helpers/requirements.ts';
import { SMALL_UNET } from '../helpers/small-networks.ts';

/** float32 against float32 with another order of summation, as for this program's own networks. */
const TOLERANCE = 5e-5;

const root = temporaryDirectory();
const golden = readGoldenFile('denoising_unet');
const weights = goldenWeights(golden.namespace, golden.keys);
const referenceFile = readGoldenFile('reference_unet');
const referenceWeights = goldenWeights(referenceFile.namespace, referenceFile.keys);

for (const name of ['ref_pose_f8', 'odd_f5']) {
  test(`${name}: what the speed is compared with predicts what the original does`, {
    skip: noTorch,
  }, async () => {
    const { inputs, outputs } = goldenCase(golden, name);
    const imageEmbeds = goldenInput({ stream: 'input:clip_embed', shape: [1, 32] });
    const referenceLatents = goldenInput(inputs.reference_latents!);
    const [, , height, width] = referenceLatents.dims as [number, number, number, number];
    const graph = buildReferenceUnet(SMALL_UNET, referenceWeights, { height, width, project: weights });
    const reference = await loadOrtNetwork('reference', graph);
    const keysAndValues = await reference.run({ latents: referenceLatents, image_embeds: imageEmbeds });
    await reference.dispose();

    const folder = path.join(root, name);
    mkdirSync(folder);
    const file = path.join(folder, 'weights.safetensors');
    const entries = [...weights.keys()].map((key): [string, Tensor] => [key, weights.read(key)]);
    writeFileSync(file, encodeSafetensors(entries));
    const poses = Object.entries(inputs).filter(([input]) => input.startsWith('pose.'));
    const torch = await TorchUnet.start({
      python: PYTHON,
      weights: file,
      inputs: {
        latents: goldenInput(inputs.latents!),
        timestep: tensor(Float32Array.of(inputs.timestep as unknown as number), [1]),
        image_embeds: imageEmbeds,
        ...Object.fromEntries(poses.map(([input, stream]) => [input, goldenInput(stream)])),
        ...keysAndValues,
      },
      folder,
      threads: 1,
    });
    try {
      assert(Number.isFinite(await torch.run()));
      assertGolden(golden, outputs.sample!, await torch.output(), TOLERANCE, name);
    } finally {
      torch.close();
    }
  });
}
