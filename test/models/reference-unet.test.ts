import assert from 'node:assert/strict';
import test from 'node:test';
import { ModelError } from '../../src/errors.ts';
import { buildReferenceUnet, describeReferenceUnet } from '../../src/models/reference-unet.ts';
import { ANIPORTRAIT_UNET, attentionSites } from '../../src/models/unet-config.ts';
import { countParameters } from '../../src/models/weight-reader.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import {
  assertGolden,
  goldenCase,
  goldenInput,
  goldenWeights,
  readFullSizeKeys,
  readFullSizeSummary,
  readGoldenFile,
} from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { SMALL_UNET } from '../helpers/small-networks.ts';

/** float32 against float32 with another order of summation. */
const TOLERANCE = 5e-5;
const golden = readGoldenFile('reference_unet');
const weights = goldenWeights(golden.namespace, golden.keys);
const imageEmbeds = goldenInput({ stream: 'input:clip_embed', shape: [1, 32] });
/** Module paths by the number of their bank. */
const bankOrder = (
  golden.cases[0] as unknown as { bank_order: { index: number; writer: string }[] }
).bank_order.map(({ writer }) => writer.replace('.transformer_blocks.0', ''));
const bankName = (index: number): string => `bank.${String(index).padStart(2, '0')}`;

for (const name of ['write', 'write_odd']) {
  test(`${name}: every bank matches the reference`, async () => {
    const { inputs, outputs } = goldenCase(golden, name);
    const latents = goldenInput(inputs.latents!);
    const [, , height, width] = latents.dims as [number, number, number, number];
    const network = await loadOrtNetwork(name, buildReferenceUnet(SMALL_UNET, weights, { height, width }));
    const banks = await network.run({ latents, image_embeds: imageEmbeds });
    assert.equal(Object.keys(banks).length, bankOrder.length);
    bankOrder.forEach((path, index) => {
      const expected = outputs[bankName(index)]!;
      assert.deepEqual(banks[`bank:${path}`]!.dims, expected.shape);
      assertGolden(golden, expected, banks[`bank:${path}`]!.data, TOLERANCE, path);
    });
  });
}

test('write_cfg_batch: a batch of a zero and a real embedding matches the reference', async () => {
  const { outputs } = goldenCase(golden, 'write_cfg_batch');
  const one = goldenInput(goldenCase(golden, 'write').inputs.latents!);
  const [, channels, height, width] = one.dims as [number, number, number, number];
  const latents = tensor(Float32Array.of(...one.data, ...one.data), [2, channels, height, width]);
  const embeds = tensor(Float32Array.of(...new Float32Array(32), ...imageEmbeds.data), [2, 32]);
  const graph = buildReferenceUnet(SMALL_UNET, weights, { height, width, batch: 2 });
  const banks = await (await loadOrtNetwork('batch', graph)).run({ latents, image_embeds: embeds });
  bankOrder.forEach((path, index) => {
    assertGolden(golden, outputs[bankName(index)]!, banks[`bank:${path}`]!.data, TOLERANCE, path);
  });
});

test('attention sites are those of the banks', () => {
  const paths = attentionSites(SMALL_UNET, { height: 16, width: 24 }).map((site) => site.path);
  assert.deepEqual(paths.toSorted(), bankOrder.toSorted());
  assert.equal(paths.at(-1), 'up_blocks.3.attentions.2');
});

test('the published size has the keys, shapes and parameters of the checkpoint, and stops at the last bank', () => {
  const { weights: specs, flops } = describeReferenceUnet(ANIPORTRAIT_UNET, { height: 64, width: 64 });
  assert.deepEqual(
    specs.map(({ key, dims }) => [key, dims]).sort(),
    readFullSizeKeys('reference_unet').sort(),
  );
  const { parameters, gflops } = readFullSizeSummary();
  assert.equal(countParameters(specs), parameters.reference_unet);
  const unused = specs.filter(({ used }) => !used).map(({ key }) => key);
  assert.ok(unused.includes('up_blocks.3.attentions.2.transformer_blocks.0.attn1.to_q.weight'));
  assert.ok(unused.includes('up_blocks.3.attentions.2.proj_out.bias'));
  assert.ok(!unused.includes('up_blocks.3.attentions.2.transformer_blocks.0.norm1.weight'));
  assert.ok(flops / 1e9 < gflops.reference_unet! - 30, `${flops / 1e9} GFLOP`);
});

test('missing, surplus and misshapen weights are named together', () => {
  const keys = golden.keys
    .filter(([key]) => key !== 'conv_in.bias')
    .map(([key, dims]) => [key, key === 'time_embedding.linear_1.bias' ? [7] : dims] as const);
  const broken = goldenWeights(golden.namespace, [...keys, ['conv_out.weight', [4]]]);
  assert.throws(
    () => buildReferenceUnet(SMALL_UNET, broken, { height: 8, width: 8 }),
    (error: Error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, /1 missing: conv_in\.bias/);
      assert.match(
        error.message,
        /1 of another shape: time_embedding\.linear_1\.bias \[7\] instead of \[128\]/,
      );
      assert.match(error.message, /1 that do not belong to it: conv_out\.weight/);
      return true;
    },
  );
});
