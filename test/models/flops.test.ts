/** What the networks say of their work, against a count over the finished graphs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PUBLISHED_UNET } from '../../src/compare/published-forms.ts';
import { openBundle } from '../../src/models/bundle.ts';
import {
  buildDenoisingUnet,
  type DenoisingUnetOptions,
  describeDenoisingUnet,
} from '../../src/models/denoising-unet.ts';
import {
  buildPatchDecoder,
  buildPatchEncoder,
  patchDecoderFlops,
  patchEncoderFlops,
} from '../../src/models/patch-transform.ts';
import { buildPoseGuider, describePoseGuider } from '../../src/models/pose-guider.ts';
import { buildReferenceUnet, describeReferenceUnet } from '../../src/models/reference-unet.ts';
import type { WeightSpec } from '../../src/models/weight-reader.ts';
import type { Device } from '../../src/runtime/device.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { countGraphFlops } from '../helpers/count-graph-flops.ts';
import { goldenWeights } from '../helpers/golden-weights.ts';
import { SMALL_UNET } from '../helpers/small-networks.ts';

const bundle = await openBundle('tiny');
const { codec, poseGuider, denoisingUnet } = bundle.description;
assert.ok(codec.type === 'patch-transform');
const keysOf = (specs: readonly WeightSpec[]) => specs.map(({ key, dims }) => [key, dims] as const);

const forms: readonly (Pick<DenoisingUnetOptions, 'reference' | 'imageEmbeds' | 'forms' | 'batch'> & {
  device?: Device;
})[] = [
  { reference: 'none' },
  { reference: 'banks', imageEmbeds: 'input' },
  { reference: 'keys-values' },
  { reference: 'keys-values', device: 'webgpu' },
  PUBLISHED_UNET,
];
for (const [name, config] of Object.entries({ tiny: denoisingUnet, small: SMALL_UNET })) {
  for (const form of forms) {
    test(`denoising UNet ${name}, ${JSON.stringify(form)}`, async () => {
      const options = { frames: 3, height: 8, width: 12, poseFeatures: true, ...form };
      const { weights, flops } = describeDenoisingUnet(config, options);
      const graph = buildDenoisingUnet(config, goldenWeights('flops', keysOf(weights)), options);
      assert.equal(await countGraphFlops(graph.toBytes()), flops);
    });
  }
}

test('reference UNet, banks', async () => {
  const size = { height: 8, width: 12 };
  const { weights, flops } = describeReferenceUnet(denoisingUnet, size);
  const graph = buildReferenceUnet(denoisingUnet, goldenWeights('flops', keysOf(weights)), size);
  assert.equal(await countGraphFlops(graph.toBytes()), flops);
});

test('reference UNet, keys and values', async () => {
  const weights = openSafetensors(bundle.pathOf('referenceUnet'));
  const project = openSafetensors(bundle.pathOf('denoisingUnet'));
  const size = { height: 16, width: 16 };
  const graph = buildReferenceUnet(denoisingUnet, weights, { ...size, project });
  const { flops } = describeReferenceUnet(denoisingUnet, { ...size, project });
  assert.equal(await countGraphFlops(graph.toBytes()), flops);
});

test('pose guider, one window and two', async () => {
  for (const batch of [1, 2]) {
    const options = { frames: 3, batch, height: 64, width: 32 };
    const { weights, flops } = describePoseGuider(poseGuider, options);
    const graph = buildPoseGuider(poseGuider, goldenWeights('flops', keysOf(weights)), options);
    assert.equal(await countGraphFlops(graph.toBytes()), flops);
  }
});

test('patch codec', async () => {
  const weights = openSafetensors(bundle.pathOf('codec'));
  const size = { height: 32, width: 48 };
  assert.equal(
    await countGraphFlops(buildPatchEncoder(codec, weights, size).toBytes()),
    patchEncoderFlops(codec, size),
  );
  const video = { ...size, frames: 2 };
  assert.equal(
    await countGraphFlops(buildPatchDecoder(codec, weights, video).toBytes()),
    patchDecoderFlops(codec, video),
  );
});
