import assert from 'node:assert/strict';
import test from 'node:test';
import { PUBLISHED_UNET } from '../../src/compare/published-forms.ts';
import { InvalidOptionError, ModelError } from '../../src/errors.ts';
import {
  buildDenoisingUnet,
  type DenoisingUnetOptions,
  describeDenoisingUnet,
} from '../../src/models/denoising-unet.ts';
import { buildReferenceUnet, describeReferenceUnet } from '../../src/models/reference-unet.ts';
import {
  ANIPORTRAIT_UNET,
  assertUnetConfig,
  poseFeatureSizes,
  type UnetConfig,
} from '../../src/models/unet-config.ts';
import { countParameters } from '../../src/models/weight-reader.ts';
import type { GraphBuilder } from '../../src/onnx/graph.ts';
import type { Device } from '../../src/runtime/device.ts';
import { decodeHalf, encodeHalf } from '../../src/tensor/float16.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import {
  assertGolden,
  type GoldenCase,
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
/** A value of the bank that lies between two halves may be rounded to the other. */
const HALF_BANK_TOLERANCE = 1e-3;
const golden = readGoldenFile('denoising_unet');
const weights = goldenWeights(golden.namespace, golden.keys);
const referenceFile = readGoldenFile('reference_unet');
const referenceWeights = goldenWeights(referenceFile.namespace, referenceFile.keys);
const imageEmbeds = goldenInput({ stream: 'input:clip_embed', shape: [1, 32] });

/** Inputs of a case but the embedding: latents, timestep and pose features. */
function inputsOf({ inputs }: GoldenCase): Record<string, Tensor> {
  const poses = Object.entries(inputs).filter(([name]) => name.startsWith('pose.'));
  return {
    latents: goldenInput(inputs.latents!),
    timestep: tensor(Float32Array.of(inputs.timestep as unknown as number), [1]),
    ...Object.fromEntries(poses.map(([name, input]) => [name, goldenInput(input)])),
  };
}

async function runOnce(graph: GraphBuilder, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const network = await loadOrtNetwork('network', graph);
  try {
    return await network.run(inputs);
  } finally {
    await network.dispose();
  }
}

/** Keys and values, or banks, of the reference latents of a case. */
async function referenceInputs(
  { inputs }: GoldenCase,
  kind: 'keys-values' | 'banks',
): Promise<Record<string, Tensor>> {
  const latents = goldenInput(inputs.reference_latents!);
  const [, , height, width] = latents.dims as [number, number, number, number];
  const project = kind === 'keys-values' ? weights : undefined;
  const graph = buildReferenceUnet(SMALL_UNET, referenceWeights, { height, width, project });
  return runOnce(graph, { latents, image_embeds: imageEmbeds });
}

function optionsOf(
  { latents }: Record<string, Tensor>,
  options: Partial<DenoisingUnetOptions>,
): DenoisingUnetOptions {
  const [, , frames, height, width] = latents!.dims as [number, number, number, number, number];
  return { frames, height, width, reference: 'none', poseFeatures: false, ...options };
}

for (const name of ['plain_f1', 'plain_f5', 'plain_f8', 'pose_f5']) {
  test(`${name}: without reference, the prediction matches`, async () => {
    const item = goldenCase(golden, name);
    const inputs = inputsOf(item);
    const options = optionsOf(inputs, { poseFeatures: name === 'pose_f5', imageEmbeds: 'input' });
    const graph = buildDenoisingUnet(SMALL_UNET, weights, options);
    const { model_output } = await runOnce(graph, { ...inputs, image_embeds: imageEmbeds });
    assert.deepEqual(model_output!.dims, item.outputs.sample!.shape);
    assertGolden(golden, item.outputs.sample!, model_output!.data, TOLERANCE, name);
  });
}

const conditional = [
  { name: 'ref_f5', reference: 'banks', poseFeatures: false },
  { name: 'ref_f5', reference: 'keys-values', poseFeatures: false },
  { name: 'ref_pose_f8', reference: 'keys-values', poseFeatures: true },
  { name: 'odd_f5', reference: 'keys-values', poseFeatures: true },
] as const;
for (const { name, reference, poseFeatures } of conditional) {
  test(`${name}: with ${reference} of the reference, the prediction matches`, async () => {
    const item = goldenCase(golden, name);
    const inputs = inputsOf(item);
    const options = optionsOf(inputs, { reference, poseFeatures, imageEmbeds });
    const graph = buildDenoisingUnet(SMALL_UNET, weights, options);
    const { model_output } = await runOnce(graph, { ...inputs, ...(await referenceInputs(item, reference)) });
    assertGolden(golden, item.outputs.sample!, model_output!.data, TOLERANCE, name);
  });
}

test('ref_f5_fp16bank: with a bank that is rounded to half precision, the prediction matches', async () => {
  const item = goldenCase(golden, 'ref_f5_fp16bank');
  const inputs = inputsOf(item);
  const banks = Object.entries(await referenceInputs(item, 'banks')).map(([name, { data, dims }]) => {
    return [name, tensor(decodeHalf(encodeHalf(data, 'F16'), 'F16'), dims)] as const;
  });
  const graph = buildDenoisingUnet(
    SMALL_UNET,
    weights,
    optionsOf(inputs, { reference: 'banks', imageEmbeds }),
  );
  const { model_output } = await runOnce(graph, { ...inputs, ...Object.fromEntries(banks) });
  assertGolden(golden, item.outputs.sample!, model_output!.data, HALF_BANK_TOLERANCE, item.name);
});

for (const name of ['cfg_f5', 'cfg_f8']) {
  test(`${name}: the two branches of guidance match as separate graphs`, async () => {
    const item = goldenCase(golden, name);
    const inputs = inputsOf(item);
    const build = (options: Partial<DenoisingUnetOptions>): GraphBuilder =>
      buildDenoisingUnet(SMALL_UNET, weights, optionsOf(inputs, { poseFeatures: true, ...options }));
    const unconditional = await runOnce(build({}), inputs);
    const guided = await runOnce(build({ reference: 'keys-values', imageEmbeds }), {
      ...inputs,
      ...(await referenceInputs(item, 'keys-values')),
    });
    const both = Float32Array.of(...unconditional.model_output!.data, ...guided.model_output!.data);
    assertGolden(golden, item.outputs.sample!, both, TOLERANCE, name);
  });
}

function twiceOver(data: Float32Array): Float32Array {
  const both = new Float32Array(2 * data.length);
  both.set(data);
  both.set(data, data.length);
  return both;
}

for (const name of ['cfg_f5', 'cfg_f8']) {
  test(`${name}: both branches in one run, as AniPortrait computes them, match`, async () => {
    const item = goldenCase(golden, name);
    const inputs = inputsOf(item);
    const graph = buildDenoisingUnet(
      SMALL_UNET,
      weights,
      optionsOf(inputs, { poseFeatures: true, ...PUBLISHED_UNET }),
    );
    const twice = Object.entries(inputs).map(([key, { data, dims }]): [string, Tensor] => [
      key,
      key === 'timestep' ? { data, dims } : tensor(twiceOver(data), [2 * dims[0]!, ...dims.slice(1)]),
    ]);
    const { model_output } = await runOnce(graph, {
      ...Object.fromEntries(twice),
      ...(await referenceInputs(item, 'banks')),
      image_embeds: tensor(Float32Array.of(...new Float32Array(32), ...imageEmbeds.data), [2, 32]),
    });
    assertGolden(golden, item.outputs.sample!, model_output!.data, TOLERANCE, name);
  });
}

test('a batch of two clips is the two clips by themselves', async () => {
  const item = goldenCase(golden, 'ref_f5');
  const { latents, timestep } = inputsOf(item) as { latents: Tensor; timestep: Tensor };
  const reference = await referenceInputs(item, 'keys-values');
  const other = latents.data.map((value) => -0.5 * value);
  const embeds = imageEmbeds.data.map((value) => 0.3 - value);
  const [, channels, frames, height, width] = latents.dims as [number, number, number, number, number];
  const options = { frames, height, width, reference: 'keys-values', poseFeatures: false } as const;
  const single = buildDenoisingUnet(SMALL_UNET, weights, { ...options, imageEmbeds: 'input' });
  const double = buildDenoisingUnet(SMALL_UNET, weights, { ...options, batch: 2, imageEmbeds: 'input' });
  const run = async (data: Float32Array, embedding: Float32Array): Promise<Float32Array> => {
    const inputs = { latents: tensor(data, latents.dims), image_embeds: tensor(embedding, [1, 32]) };
    return (await runOnce(single, { ...inputs, timestep, ...reference })).model_output!.data;
  };
  const { model_output } = await runOnce(double, {
    latents: tensor(Float32Array.of(...latents.data, ...other), [2, channels, frames, height, width]),
    image_embeds: tensor(Float32Array.of(...imageEmbeds.data, ...embeds), [2, 32]),
    timestep,
    ...reference,
  });
  const separate = [...(await run(latents.data, imageEmbeds.data)), ...(await run(other, embeds))];
  assertAllClose(model_output!.data, separate, { rtol: 0, atol: 2e-5 });
});

for (const device of ['cuda', 'webgpu'] satisfies Device[]) {
  test(`the form of the graph for ${device} gives the same numbers`, async () => {
    const item = goldenCase(golden, 'ref_f5');
    const inputs = inputsOf(item);
    const options = optionsOf(inputs, { reference: 'keys-values', imageEmbeds, device });
    const graph = buildDenoisingUnet(SMALL_UNET, weights, options);
    const reference = await referenceInputs(item, 'keys-values');
    const { model_output } = await runOnce(graph, { ...inputs, ...reference });
    assertGolden(golden, item.outputs.sample!, model_output!.data, TOLERANCE, device);
  });
}

test('the published size has the keys, shapes, parameters and operations of the checkpoints', () => {
  const frames = 16;
  const options = { frames, height: 64, width: 64, poseFeatures: true, imageEmbeds: 'input' } as const;
  const plain = describeDenoisingUnet(ANIPORTRAIT_UNET, { ...options, reference: 'none' });
  assert.deepEqual(
    plain.weights.map(({ key, dims }) => [key, dims]).sort(),
    [...readFullSizeKeys('denoising_unet'), ...readFullSizeKeys('motion_module')].sort(),
  );
  const { parameters, gflops } = readFullSizeSummary();
  const trained = plain.weights.filter(({ key }) => !key.endsWith('.pe'));
  assert.equal(countParameters(trained), parameters.denoising_unet_total);
  // After upsampling, four taps do what nine did: the rest at 16², 32² and 64² cells is left out.
  const upsampling = (2 * 5 * (16 ** 2 * 1280 ** 2 + 32 ** 2 * 1280 ** 2 + 64 ** 2 * 640 ** 2)) / 1e9;
  // Cross attention to one token, 25.67 GFLOP a frame, is a constant here; reference keys and values are inputs (25.58).
  const perFrame = plain.flops / frames / 1e9 + upsampling;
  assert.ok(
    Math.abs(perFrame - (gflops.denoising_unet_per_frame_no_reference! - 25.67)) < 0.1,
    `${perFrame}`,
  );
  const guided = describeDenoisingUnet(ANIPORTRAIT_UNET, { ...options, reference: 'keys-values' });
  const guidedPerFrame = guided.flops / frames / 1e9 + upsampling;
  const expected = gflops.denoising_unet_per_frame_with_reference! - 25.67 - 25.58;
  assert.ok(Math.abs(guidedPerFrame - expected) < 0.1, `${guidedPerFrame}`);
  // As its program computes it: both branches with the reference, then the unconditional one's self-attention again (173.7).
  const published = describeDenoisingUnet(ANIPORTRAIT_UNET, { ...options, ...PUBLISHED_UNET });
  const publishedPerFrame = published.flops / frames / 1e9;
  const both = 2 * gflops.denoising_unet_per_frame_with_reference! + 173.7;
  assert.ok(Math.abs(publishedPerFrame - both) < 0.2, `${publishedPerFrame}, expected ${both}`);
});

/** Three levels, no cross attention, groups that are no divisor of 32: what a small bundle looks like. */
const TINY_UNET: UnetConfig = {
  inChannels: 8,
  outChannels: 6,
  blockOutChannels: [16, 32, 48],
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
    positionalTableLength: 8,
  },
};

test('another architecture runs: fewer levels, no cross attention, one temporal attention', async () => {
  const size = { height: 9, width: 6 };
  const options = { ...size, frames: 3, reference: 'keys-values', poseFeatures: true } as const;
  const keysOf = (specs: readonly { key: string; dims: readonly number[] }[]) =>
    specs.map(({ key, dims }) => [key, dims] as const);
  const keys = keysOf(describeDenoisingUnet(TINY_UNET, options).weights);
  assert.ok(!keys.some(([key]) => /attn2|norm2\.weight$/.test(key) && key.includes('transformer_blocks')));
  const source = goldenWeights('tiny', keys);
  const referenceSource = goldenWeights(
    'tiny-reference',
    keysOf(describeReferenceUnet(TINY_UNET, size).weights),
  );
  const reference = await runOnce(
    buildReferenceUnet(TINY_UNET, referenceSource, { ...size, project: source }),
    { latents: goldenInput({ stream: 'input:tiny.reference', shape: [1, 8, 9, 6] }) },
  );
  assert.equal(Object.keys(reference).length, 2 * 7);
  const poses = poseFeatureSizes(TINY_UNET, size).map(({ channels, height, width }, i) => [
    `pose.${i}`,
    goldenInput({ stream: `input:tiny.${i}`, shape: [1, channels, 3, height, width] }),
  ]);
  assert.equal(poses.length, 4);
  const { model_output } = await runOnce(buildDenoisingUnet(TINY_UNET, source, options), {
    latents: goldenInput({ stream: 'input:tiny.latents', shape: [1, 8, 3, 9, 6] }),
    timestep: tensor(Float32Array.of(499), [1]),
    ...reference,
    ...Object.fromEntries(poses),
  });
  assert.deepEqual(model_output!.dims, [1, 6, 3, 9, 6]);
  assert.ok(model_output!.data.every((value) => Number.isFinite(value)));
});

test('refuses a configuration that contradicts itself, and windows longer than the positional table', () => {
  assert.throws(() => assertUnetConfig({ ...TINY_UNET, numHeads: [2, 4] }), /numHeads.*expected 3 entries/);
  assert.throws(() => assertUnetConfig({ ...TINY_UNET, numHeads: [2, 5, 4] }), InvalidOptionError);
  assert.throws(() => assertUnetConfig({ ...TINY_UNET, normNumGroups: 7 }), InvalidOptionError);
  const options = { frames: 33, height: 16, width: 16, reference: 'none', poseFeatures: false } as const;
  assert.throws(
    () => buildDenoisingUnet(SMALL_UNET, weights, options),
    /frames: expected an integer from 1 to 32/,
  );
  assert.throws(
    () => buildDenoisingUnet({ ...SMALL_UNET, motion: null }, weights, { ...options, frames: 2 }),
    (error: Error) =>
      error instanceof ModelError && /588 that do not belong to it: .* and 580 more/.test(error.message),
  );
});
