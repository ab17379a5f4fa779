/**
 * What this program leaves out of the original's work, against the work itself. The separate guidance branches are compared
 * with the original's doubled batch in denoising-unet.test.ts, its banks with the whole reference UNet's in
 * reference-unet.test.ts.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { PUBLISHED_FORMS } from '../../src/compare/published-forms.ts';
import { atEveryStep, planLoopedWindows } from '../../src/denoising/context-windows.ts';
import { denoiseClip } from '../../src/denoising/denoise-clip.ts';
import { FAST_ATTENTION } from '../../src/models/blocks.ts';
import { buildDenoisingUnet } from '../../src/models/denoising-unet.ts';
import { at, type Net } from '../../src/models/layers.ts';
import { buildReferenceUnet, describeReferenceUnet } from '../../src/models/reference-unet.ts';
import { attentionSites } from '../../src/models/unet-config.ts';
import { WeightReader } from '../../src/models/weight-reader.ts';
import type { ClipNetworks } from '../../src/networks/clip-networks.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { denoiserOf } from '../../src/pipeline/denoise-frames.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';
import { WindowConditions } from '../../src/pipeline/window-conditions.ts';
import type { Scene } from '../../src/scene/scene.ts';
import { createScheduler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { goldenInput, goldenWeights, readGoldenFile } from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';
import { SMALL_UNET } from '../helpers/small-networks.ts';

/** The same sums in another order. */
const FLOAT32 = { rtol: 0, atol: 2e-5 };
const file = readGoldenFile('denoising_unet');
const referenceFile = readGoldenFile('reference_unet');
const weights = goldenWeights(file.namespace, file.keys);
const referenceWeights = goldenWeights(referenceFile.namespace, referenceFile.keys);
const imageEmbeds = goldenInput({ stream: 'input:clip_embed', shape: [1, 32] });

async function runOnce(graph: GraphBuilder, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const network = await loadOrtNetwork('network', graph);
  try {
    return await network.run(inputs);
  } finally {
    await network.dispose();
  }
}

test('keys and values that are projected once a clip give what banks give at every step', async () => {
  const size = { height: 16, width: 16 };
  const latents = goldenInput({ stream: 'input:savings.reference', shape: [1, 4, 16, 16] });
  const predict = async (reference: 'banks' | 'keys-values'): Promise<Float32Array> => {
    const project = reference === 'banks' ? undefined : weights;
    const made = await runOnce(buildReferenceUnet(SMALL_UNET, referenceWeights, { ...size, project }), {
      latents,
      image_embeds: imageEmbeds,
    });
    const graph = buildDenoisingUnet(SMALL_UNET, weights, {
      ...size,
      frames: 3,
      reference,
      poseFeatures: false,
      imageEmbeds: 'input',
    });
    const outputs = await runOnce(graph, {
      latents: goldenInput({ stream: 'input:savings.latents', shape: [1, 4, 3, 16, 16] }),
      timestep: tensor(Float32Array.of(399), [1]),
      image_embeds: imageEmbeds,
      ...made,
    });
    return outputs.model_output!.data;
  };
  assertAllClose(await predict('keys-values'), await predict('banks'), FLOAT32);
});

for (const path of ['down_blocks.0.attentions.1', 'mid_block.attentions.0']) {
  test(`${path}: cross attention to one token is the constant that it is replaced by`, async () => {
    const { channels, level } = attentionSites(SMALL_UNET, { height: 16, width: 16 }).find(
      (site) => site.path === path,
    )!;
    const [count, length] = [2, 12];
    const shape = { count, length, channels };
    const heads = SMALL_UNET.numHeads[level]!;
    const graph = new GraphBuilder('both', { opset: 23 });
    const root: Net = { graph, weights: WeightReader.open(weights), device: 'cpu', cost: { flops: 0 } };
    const net = at(root, `${path}.transformer_blocks.0`);
    const tokens = graph.input('tokens', [count * length, channels]);
    const token = graph.input('token', [1, 32]);
    graph.output(
      'plain',
      PUBLISHED_FORMS.addContext(net, tokens, shape, { width: 32, batch: 1, token }, heads),
    );
    graph.output(
      'constant',
      FAST_ATTENTION.addContext(net, tokens, shape, { width: 32, batch: 1, token }, heads),
    );
    graph.output(
      'zero',
      FAST_ATTENTION.addContext(net, tokens, shape, { width: 32, batch: 1, token: undefined }, heads),
    );
    const input = goldenInput({ stream: 'input:savings.tokens', shape: [count * length, channels] });
    const { plain, constant } = await runOnce(graph, { tokens: input, token: imageEmbeds });
    assertAllClose(constant!.data, plain!.data, FLOAT32);
    const nothing = tensor(new Float32Array(32), [1, 32]);
    const { plain: plainZero, zero } = await runOnce(graph, { tokens: input, token: nothing });
    assertAllClose(zero!.data, plainZero!.data, FLOAT32);
  });
}

test('the reference UNet ends with its last bank: what comes after is neither read nor computed', () => {
  const { weights: specs } = describeReferenceUnet(SMALL_UNET, { height: 16, width: 16 });
  const last = 'up_blocks.3.attentions.2.';
  const unused = specs.filter(({ used }) => !used).map(({ key }) => key);
  for (const part of ['attn1.to_q', 'attn1.to_out.0', 'ff.net.0.proj', 'ff.net.2', 'norm3']) {
    assert.ok(unused.includes(`${last}transformer_blocks.0.${part}.weight`), part);
  }
  assert.ok(unused.includes(`${last}proj_out.weight`));
  assert.ok(!unused.includes(`${last}transformer_blocks.0.norm1.weight`));
});

test('pose features are made once for each window, whatever the steps', async () => {
  const windows = planLoopedWindows(20, { contextFrames: 8, contextOverlap: 2 });
  const plan = atEveryStep(windows, 5);
  let made = 0;
  let drawn = 0;
  const features = { 'pose.0': tensor(new Float32Array(1), [1]) };
  const networks = {
    decodesOverBase: false,
    poseFeatures: async () => {
      made++;
      return features;
    },
    denoise: async (_half: string, latents: Tensor, _timestep: number, pose: unknown) => {
      assert.equal(pose, features);
      return latents;
    },
  } as unknown as ClipNetworks;
  const scene = {
    conditions: async () => {
      drawn++;
      return { conditions: new Float32Array(1) };
    },
  } as unknown as Scene;
  const watch = new Stopwatch();
  const denoisedFrames = Array.from({ length: 20 }, (_, frame) => frame);
  const conditions = new WindowConditions({
    scene,
    networks,
    denoisedFrames,
    watch,
    windows: plan,
  });
  const scheduler = createScheduler({
    sampler: 'ddim',
    numInferenceSteps: 5,
    noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
    predictionType: 'v_prediction',
    timestepSpacing: 'trailing',
  });
  const clip = denoiseClip({
    denoiser: denoiserOf(networks, conditions, watch),
    scheduler,
    guidanceScale: 3.5,
    windows: plan,
    frameShape: [1, 2, 2],
    seed: 1,
    sharedFraction: 0,
  });
  let frames = 0;
  for await (const _ of clip) frames++;
  assert.equal(frames, 20);
  assert.equal(made, windows.length);
  assert.equal(
    drawn,
    windows.reduce((sum, window) => sum + window.frames.length, 0),
  );
});
