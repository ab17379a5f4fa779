import assert from 'node:assert/strict';
import test from 'node:test';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { ANIPORTRAIT_CLIP } from '../../src/models/clip-config.ts';
import { buildClipVision, clipPixels, describeClipVision } from '../../src/models/clip-vision.ts';
import { countParameters } from '../../src/models/weight-reader.ts';
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
import { SMALL_CLIP } from '../helpers/small-networks.ts';

/** float32 against float32 with another order of summation. */
const TOLERANCE = 2e-5;
const golden = readGoldenFile('clip');
const weights = goldenWeights(golden.namespace, golden.keys);
function pictureOf({ inputs }: GoldenCase): RgbImage {
  const [height, width] = inputs.image!.shape as [number, number, number];
  return { data: Uint8Array.from(goldenInput(inputs.image!).data), width, height };
}

for (const device of ['cpu', 'cuda', 'webgpu'] as const) {
  test(`the embedding matches the reference, in the form of the graph for ${device}`, async () => {
    const { inputs, outputs } = goldenCase(golden, 'forward');
    const network = await loadOrtNetwork('clip', buildClipVision(SMALL_CLIP, weights, { device }));
    const { image_embeds } = await network.run({ pixel_values: goldenInput(inputs.pixel_values!) });
    assertGolden(golden, outputs.image_embeds!, image_embeds!.data, TOLERANCE, 'image_embeds');
  });
}

for (const name of ['preprocess_up', 'preprocess_down']) {
  test(`${name}: a picture is squashed and embedded as by the reference`, async () => {
    const item = goldenCase(golden, name);
    const picture = pictureOf(item);
    const pixels = clipPixels(picture, 224);
    assertGolden(golden, item.outputs.pixel_values!, pixels.data, 1e-6, 'pixel_values');
    const network = await loadOrtNetwork('clip', buildClipVision(SMALL_CLIP, weights));
    const { image_embeds } = await network.run({ pixel_values: pixels });
    assertGolden(golden, item.outputs.image_embeds!, image_embeds!.data, TOLERANCE, 'image_embeds');
  });
}

test('old files with numbers of positions are taken as well', () => {
  const old = goldenWeights(golden.namespace, [
    ...golden.keys,
    ['vision_model.embeddings.position_ids', [1, 257]],
  ]);
  assert.ok(buildClipVision(SMALL_CLIP, old).toBytes().length > 0);
});

test('the published size has the keys, shapes, parameters and operations of the checkpoint', () => {
  const { weights: specs, flops } = describeClipVision(ANIPORTRAIT_CLIP);
  assert.deepEqual(
    specs.map(({ key, dims }) => [key, dims]).sort(),
    readFullSizeKeys('image_encoder').sort(),
  );
  const { parameters, gflops } = readFullSizeSummary();
  assert.equal(countParameters(specs), parameters.clip);
  assert.ok(Math.abs(flops / 1e9 - gflops.clip!) < 0.5, `${flops / 1e9}`);
});
