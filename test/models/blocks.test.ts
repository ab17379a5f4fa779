import assert from 'node:assert/strict';
import test from 'node:test';
import {
  downsample,
  motionModule,
  resnet,
  spatialTransformer,
  timeMlp,
  timestepSinusoids,
  transformerTokens,
} from '../../src/models/blocks.ts';
import {
  at,
  type FeatureMap,
  framesToImages,
  groupNorm,
  imagesToFrames,
  type Net,
  silu,
} from '../../src/models/layers.ts';
import { upsample } from '../../src/models/upsample.ts';
import { WeightReader } from '../../src/models/weight-reader.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import {
  assertGolden,
  fnv1a,
  type GoldenCase,
  goldenCase,
  goldenInput,
  goldenWeight,
  goldenWeights,
  goldenWords,
  readGoldenFile,
} from '../helpers/golden-weights.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

/** float32 against float32 with another order of summation. */
const TOLERANCE = 2e-5;
/** Angles are float32 on both sides: at t = 999 the last bit of a frequency is 6e-5 of the angle. */
const SINUSOID_TOLERANCE = 7e-5;
const golden = readGoldenFile('units');

/** Runs one block on the video `x`, of the case unless given, and on further inputs, and returns `out` and whatever it added. */
async function runBlock(
  item: GoldenCase,
  build: (net: Net, x: FeatureMap, batch: number) => FeatureMap,
  further: Readonly<Record<string, Tensor>> = {},
  x = goldenInput(item.inputs.x!),
): Promise<Record<string, Tensor>> {
  const [batch, channels] = x.dims as [number, number];
  const video = x.dims.length === 5;
  const [height, width] = x.dims.slice(-2) as [number, number];
  const frames = video ? x.dims[2]! : 1;
  const weights = WeightReader.open(goldenWeights(item.namespace!, item.keys!));
  const graph = new GraphBuilder(item.name, { opset: 23 });
  const net: Net = { graph, weights, device: 'cpu', cost: { flops: 0 } };
  const input = framesToImages(net, graph.input('x', [batch, channels, frames, height, width]), {
    batch,
    frames,
    channels,
    height,
    width,
  });
  graph.output('out', imagesToFrames(net, build(net, input, batch), batch));
  weights.finish(item.name);
  const network = await loadOrtNetwork(item.name, graph.toBytes());
  try {
    return await network.run({ x: tensor(x.data, [batch, channels, frames, height, width]), ...further });
  } finally {
    await network.dispose();
  }
}

function check(item: GoldenCase, actual: Record<string, Tensor>, output = 'out'): void {
  assertGolden(golden, item.outputs[output]!, actual[output]!.data, TOLERANCE, `${item.name} ${output}`);
}

test('the initialiser gives its published test vectors', () => {
  assert.deepEqual(['', 'a', 'foobar'].map(fnv1a), [2166136261, 3826002220, 3214735720]);
  assert.deepEqual([...goldenWords(0, 4)], [1684164658, 3653269916, 2939563536, 2141751570]);
  const { data } = goldenWeight('denoising_unet', 'conv_in.weight', [32, 4, 3, 3]);
  assert.deepEqual([...data.subarray(0, 2)], [-0.195597574, 0.093619734].map(Math.fround));
});

for (const name of ['resnet3d_same', 'resnet3d_shortcut', 'resnet3d_small']) {
  test(`${name} matches the reference`, async () => {
    const item = goldenCase(golden, name);
    const time = goldenInput(item.inputs.temb!);
    const actual = await runBlock(
      item,
      (net, x) => {
        const value = silu(net, net.graph.input('temb', time.dims));
        return resnet(net, x, { out: 64, groups: 32, epsilon: 1e-5, time: { value, width: 128 } });
      },
      { temb: time },
    );
    check(item, actual);
  });
}

test('vae_resnet_small, without time embedding and with eps 1e-6, matches the reference', async () => {
  const item = goldenCase(golden, 'vae_resnet_small');
  check(item, await runBlock(item, (net, x) => resnet(net, x, { out: 32, groups: 32, epsilon: 1e-6 })));
});

test('downsample and upsample, also to an odd size, match the reference', async () => {
  const [down, up, upTo] = ['downsample', 'upsample', 'upsample_to'].map((name) => goldenCase(golden, name));
  check(down!, await runBlock(down!, downsample));
  check(up!, await runBlock(up!, (net, x) => upsample(net, x, { height: 8, width: 10 })));
  check(upTo!, await runBlock(upTo!, (net, x) => upsample(net, x, { height: 7, width: 9 })));
});

for (const name of ['transformer3d', 'transformer3d_small', 'transformer3d_ref']) {
  test(`${name} matches the reference`, async () => {
    const item = goldenCase(golden, name);
    const token = tensor(goldenInput(item.inputs.encoder_hidden_states!).data, [1, 32]);
    const bank = item.inputs.bank === undefined ? undefined : goldenInput(item.inputs.bank);
    const actual = await runBlock(
      item,
      (net, x, batch) => {
        const context = { width: 32, batch, token: net.graph.input('token', [1, 32]) };
        const reference =
          bank === undefined
            ? undefined
            : ({ kind: 'bank', bank: net.graph.input('bank', bank.dims), length: 30 } as const);
        return spatialTransformer(net, x, { heads: 8, groups: 32, context, reference });
      },
      bank === undefined ? { token } : { token, bank },
    );
    check(item, actual);
  });
}

test('transformer3d_cfg: a row without the bank and a row with it are those of the reference’s batch', async () => {
  const item = goldenCase(golden, 'transformer3d_cfg');
  const rowOf = ({ data, dims: [rows = 1, ...rest] }: Tensor, row: number): Tensor =>
    tensor((data as Float32Array).slice((row * data.length) / rows, ((row + 1) * data.length) / rows), [
      1,
      ...rest,
    ]);
  const [x, tokens, banks] = ['x', 'encoder_hidden_states', 'bank'].map((name) =>
    goldenInput(item.inputs[name]!),
  );
  const rows: number[] = [];
  for (const row of [0, 1]) {
    const token = tensor(rowOf(tokens!, row).data, [1, 32]);
    const bank = rowOf(banks!, row);
    const made = await runBlock(
      item,
      (net, input, batch) => {
        const context = { width: 32, batch, token: net.graph.input('token', [1, 32]) };
        const value = row === 1 ? net.graph.input('bank', bank.dims) : undefined;
        const reference = value && ({ kind: 'bank', bank: value, length: 30 } as const);
        return spatialTransformer(net, input, { heads: 8, groups: 32, context, reference });
      },
      row === 1 ? { token, bank } : { token },
      rowOf(x!, row),
    );
    rows.push(...made.out!.data);
  }
  check(item, { out: tensor(Float32Array.from(rows), x!.dims) });
});

test('transformer2d_write: the stored tokens and the output of a batch of two match the reference', async () => {
  const item = goldenCase(golden, 'transformer2d_write');
  const token = tensor(goldenInput(item.inputs.encoder_hidden_states!).data, [2, 32]);
  const actual = await runBlock(
    item,
    (net, input, batch) => {
      const options = {
        heads: 8,
        groups: 32,
        context: { width: 32, batch, token: net.graph.input('token', [2, 32]) },
      };
      net.graph.output('bank', transformerTokens(net, input, options).normed);
      return spatialTransformer(net, input, options);
    },
    { token },
  );
  check(item, actual);
  check(item, actual, 'bank');
});

for (const name of ['motion_f1', 'motion_f5', 'motion_f8', 'motion_f32', 'motion_b2', 'motion_small']) {
  test(`${name} matches the reference`, async () => {
    const item = goldenCase(golden, name);
    const actual = await runBlock(item, (net, x, batch) =>
      motionModule(net, x, { batch, heads: 8, groups: 32, attentionBlocks: 2, tableLength: 32 }),
    );
    check(item, actual);
  });
}

test('groupnorm_inflated: statistics are those of each frame', async () => {
  const item = goldenCase(golden, 'groupnorm_inflated');
  const keys = item.keys!.map(([key, dims]) => [`norm.${key}`, dims] as const);
  const graph = new GraphBuilder('norm');
  const source = goldenWeights(item.namespace!, keys, (key) => key.slice('norm.'.length));
  const net: Net = { graph, weights: WeightReader.open(source), device: 'cpu', cost: { flops: 0 } };
  const x = goldenInput(item.inputs.x!);
  const [batch, channels, frames, height, width] = x.dims as [number, number, number, number, number];
  const size = { batch, frames, channels, height, width };
  const images = framesToImages(net, graph.input('x', x.dims), size);
  graph.output('out', imagesToFrames(net, groupNorm(net, images, 'norm', 32, 1e-5), batch));
  check(item, await (await loadOrtNetwork('norm', graph.toBytes())).run({ x }));
});

test('time_embedding: sinusoids and their projection match the reference', async () => {
  const item = goldenCase(golden, 'time_embedding');
  const timesteps = item.inputs.timesteps as unknown as number[];
  const count = timesteps.length;
  const graph = new GraphBuilder('time');
  const keys = item.keys!.map(([key, dims]) => [`mlp.${key}`, dims] as const);
  const source = goldenWeights(item.namespace!, keys, (key) => key.slice('mlp.'.length));
  const net: Net = { graph, weights: WeightReader.open(source), device: 'cpu', cost: { flops: 0 } };
  const input = graph.input('timesteps', [count]);
  const narrow = timestepSinusoids(net, input, count, 32);
  graph.output('sinusoid32', narrow);
  graph.output('sinusoid320', timestepSinusoids(net, input, count, 320));
  graph.output('mlp', timeMlp(at(net, 'mlp'), narrow, { rows: count, width: 32, out: 128 }));
  const network = await loadOrtNetwork('time', graph.toBytes());
  const actual = await network.run({ timesteps: tensor(Float32Array.from(timesteps), [count]) });
  for (const name of ['sinusoid32', 'sinusoid320', 'mlp']) {
    assertGolden(golden, item.outputs[name]!, actual[name]!.data, SINUSOID_TOLERANCE, name);
  }
});
