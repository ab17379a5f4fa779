import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { openBundle } from '../../src/models/bundle.ts';
import { at, conv, type FeatureMap, linear, type Net } from '../../src/models/layers.ts';
import {
  ActivationObserver,
  affineOf,
  type NetworkRanges,
  Quantizer,
  RANGES_OUTPUT,
} from '../../src/models/quantization.ts';
import { upsample } from '../../src/models/upsample.ts';
import { WeightReader } from '../../src/models/weight-reader.ts';
import { type NetworkName, openBundleGraph } from '../../src/networks/bundle-graphs.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { integersAreFaster } from '../../src/runtime/integer-instructions.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { memoryWeights } from '../../src/weights/memory-weights.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

/** So many outputs that convolutions are filled up to 16. */
const [COUNT, INPUTS, OUTPUTS, SIDE, ROWS] = [2, 5, 11, 6, 20];

function noise(seed: number, dims: readonly number[]): Tensor {
  return tensor(new RandomStream([seed]).fillNormal(new Float32Array(elementCount(dims))), dims);
}

const weights = memoryWeights(
  'layers',
  new Map([
    ['block.conv.weight', noise(1, [OUTPUTS, INPUTS, 3, 3])],
    ['block.conv.bias', noise(2, [OUTPUTS])],
    ['block.up.conv.weight', noise(6, [INPUTS, INPUTS, 3, 3])],
    ['block.up.conv.bias', noise(7, [INPUTS])],
    ['block.linear.weight', noise(3, [OUTPUTS, INPUTS])],
    ['block.linear.bias', noise(4, [OUTPUTS])],
  ]),
);
/** In the lower half of its range: pairs of products then fit 16 bits, in which processors without VNNI add them. */
const images = tensor(
  noise(5, [COUNT, INPUTS, SIDE, SIDE]).data.map((value) => Math.min(0.9, Math.max(-1, value))),
  [COUNT, INPUTS, SIDE, SIDE],
);
const RANGES: NetworkRanges = {
  'block.conv': { input: [-1, 3], output: [-9, 9] },
  'block.up.conv': { input: [-1, 3], output: [-18, 18] },
  'block.linear': { input: [-1, 3] },
};

function netOf(graph: GraphBuilder, activations?: Net['activations']): Net {
  const reader = WeightReader.open(weights).at('block');
  return { graph, weights: reader, device: 'cpu', cost: { flops: 0 }, activations };
}

async function runConv(activations?: Net['activations']): Promise<Record<string, Tensor>> {
  const graph = new GraphBuilder('conv', { opset: 23 });
  const x: FeatureMap = {
    value: graph.input('x', images.dims),
    count: COUNT,
    channels: INPUTS,
    height: SIDE,
    width: SIDE,
  };
  const y = conv(netOf(graph, activations), x, 'conv', { out: OUTPUTS, kernel: 3, stride: 2 });
  graph.output('y', y.value, [COUNT, OUTPUTS, y.height, y.width]);
  if (activations?.kind === 'observe') activations.finish(graph);
  const network = await loadOrtNetwork('conv', graph);
  const outputs = await network.run({ x: images });
  await network.dispose();
  return outputs;
}

async function runLinear(rows: Tensor, activations?: Net['activations']): Promise<Tensor> {
  const graph = new GraphBuilder('linear', { opset: 23 });
  const shape = { rows: rows.dims[0]!, in: INPUTS, out: OUTPUTS };
  const y = linear(netOf(graph, activations), graph.input('x', rows.dims), 'linear', shape);
  graph.output('y', y, [shape.rows, OUTPUTS]);
  const network = await loadOrtNetwork('linear', graph);
  const { y: found } = await network.run({ x: rows });
  await network.dispose();
  return found!;
}

/** Integers of [low, 0 … high] in 256 steps, and what they stand for; written out here, not taken from the source. */
function integersOf(values: Float32Array, low: number, high: number) {
  const scale = (high - low) / 255;
  const zero = Math.round(-low / scale);
  const integers = Array.from(values, (value) =>
    Math.min(255, Math.max(0, Math.round(value / scale) + zero)),
  );
  return { scale, zero, integers };
}

function signedRows(data: Float32Array, rows: number) {
  const size = data.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    const part = Array.from(data.subarray(row * size, (row + 1) * size));
    const scale = Math.max(...part.map(Math.abs)) / 127;
    return { scale, integers: part.map((value) => Math.round(value / scale)) };
  });
}

test('a convolution in integers is that of plain integer arithmetic, padding included', async () => {
  const x = integersOf(images.data, -1, 3);
  const rows = signedRows(weights.read('block.conv.weight').data, OUTPUTS);
  const bias = weights.read('block.conv.bias').data;
  const step = 18 / 255;
  const outZero = Math.round(9 / step);
  const expected: number[] = [];
  const half = SIDE / 2;
  for (let n = 0; n < COUNT; n++) {
    for (const [o, { scale, integers }] of rows.entries()) {
      for (let i = 0; i < half * half; i++) {
        const [top, left] = [2 * Math.floor(i / half) - 1, 2 * (i % half) - 1];
        let sum = Math.round(bias[o]! / (x.scale * scale));
        for (let k = 0; k < INPUTS * 9; k++) {
          const [c, row, column] = [Math.floor(k / 9), top + Math.floor((k % 9) / 3), left + (k % 3)];
          if (row < 0 || column < 0 || row >= SIDE || column >= SIDE) continue;
          const at = ((n * INPUTS + c) * SIDE + row) * SIDE + column;
          sum += (x.integers[at]! - x.zero) * integers[k]!;
        }
        const level = Math.round((sum * x.scale * scale) / step) + outZero;
        expected.push((Math.min(255, Math.max(0, level)) - outZero) * step);
      }
    }
  }
  const { y } = await runConv(new Quantizer(RANGES));
  // A value between two levels may be rounded to either.
  assertAllClose(y!.data, expected, { rtol: 0, atol: step * 1.001 });
  const wrong = y!.data.filter((value, i) => Math.abs(value - expected[i]!) > step / 2).length;
  assert(wrong <= expected.length / 20, `${wrong} of ${expected.length} are a level off`);
});

test('an image is enlarged in integers as in float32, to a level and what rounding of weights and inputs makes', async () => {
  const run = async (activations?: Net['activations']): Promise<Tensor> => {
    const graph = new GraphBuilder('up', { opset: 23 });
    const x = {
      value: graph.input('x', images.dims),
      count: COUNT,
      channels: INPUTS,
      height: SIDE,
      width: SIDE,
    };
    const size = { height: 2 * SIDE, width: 2 * SIDE };
    const { value } = upsample(at(netOf(graph, activations), 'up'), x, size);
    graph.output('y', value, [COUNT, INPUTS, 2 * SIDE, 2 * SIDE]);
    const network = await loadOrtNetwork('up', graph);
    const { y } = await network.run({ x: images });
    await network.dispose();
    return y!;
  };
  const [integers, floats] = [await run(new Quantizer(RANGES)), await run()];
  assert.deepEqual(integers.dims, floats.dims);
  assert.notDeepEqual(integers.data, floats.data);
  assertAllClose(integers.data, floats.data, { rtol: 0, atol: (2 * 36) / 255 });
});

test('a linear layer in integers is that of plain integer arithmetic', async () => {
  const rows = tensor(images.data.subarray(0, ROWS * INPUTS), [ROWS, INPUTS]);
  const x = integersOf(rows.data, -1, 3);
  const matrix = signedRows(weights.read('block.linear.weight').data, OUTPUTS);
  const bias = weights.read('block.linear.bias').data;
  const expected = Array.from({ length: ROWS * OUTPUTS }, (_, i) => {
    const [row, o] = [Math.floor(i / OUTPUTS), i % OUTPUTS];
    const { scale, integers } = matrix[o]!;
    const sum = integers.reduce((s, w, k) => s + w * (x.integers[row * INPUTS + k]! - x.zero), 0);
    return sum * x.scale * scale + bias[o]!;
  });
  const found = await runLinear(rows, new Quantizer(RANGES));
  assertAllClose(found.data, expected, { rtol: 1e-5, atol: 1e-5 });
});

test('layers without ranges, and those of a few rows, stay float32', async () => {
  const none = new Quantizer({});
  assert.deepEqual((await runConv(none)).y!.data, (await runConv()).y!.data);
  const many = tensor(images.data.subarray(0, ROWS * INPUTS), [ROWS, INPUTS]);
  assert.deepEqual((await runLinear(many, none)).data, (await runLinear(many)).data);
  const few = tensor(images.data.subarray(0, INPUTS), [1, INPUTS]);
  assert.deepEqual((await runLinear(few, new Quantizer(RANGES))).data, (await runLinear(few)).data);
});

test('an observer reports the extremes of inputs and outputs and changes nothing', async () => {
  const observer = new ActivationObserver();
  const { y, [RANGES_OUTPUT]: extremes } = await runConv(observer);
  assert.deepEqual(y!.data, (await runConv()).y!.data);
  assert.deepEqual(observer.ranges(extremes!.data), {
    'block.conv': {
      input: [Math.min(...images.data), Math.max(...images.data)],
      output: [Math.min(...y!.data), Math.max(...y!.data)],
    },
  });
});

test('zero is one of the integers, whatever the range', () => {
  assert.deepEqual(affineOf([-1, 3]), { scale: Math.fround(4 / 255), zeroPoint: 64 });
  assert.deepEqual(affineOf([2, 4]), { scale: Math.fround(4 / 255), zeroPoint: 0 });
  assert.deepEqual(affineOf([-4, -2]), { scale: Math.fround(4 / 255), zeroPoint: 255 });
  assert.deepEqual(affineOf([0, 0]), { scale: 1, zeroPoint: 0 });
});

const bundle = await openBundle('tiny');

async function runTiny(
  name: NetworkName,
  precision: 'float32' | 'int8',
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Tensor> {
  return Object.values(await runAll(name, precision, inputs))[0]!;
}

async function loadTiny(name: NetworkName, precision: 'float32' | 'int8') {
  const { graph, dispose } = openBundleGraph(bundle, name, {
    windowFrames: 4,
    decodeFrames: 1,
    device: 'cpu',
    precision,
    loras: [{ path: bundle.pathOf('lcmLora'), scale: 1 }],
  });
  const network = await loadOrtNetwork(name, graph);
  dispose();
  return network;
}

async function runAll(
  name: NetworkName,
  precision: 'float32' | 'int8',
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const network = await loadTiny(name, precision);
  const outputs = await network.run(inputs);
  await network.dispose();
  return outputs;
}

function relativeError(actual: Tensor, expected: Tensor): number {
  let [error, size] = [0, 0];
  for (const [i, value] of expected.data.entries()) {
    error += (actual.data[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(error / size);
}

function assertSimilar(actual: Tensor, expected: Tensor, bound: number): void {
  const error = relativeError(actual, expected);
  assert(error > 0, 'nothing was computed in integers');
  assert(error < bound, `relative error ${error}`);
}

/** The sample portrait in [−1, 1], once for each frame, before `empty` channels without a drawing. */
async function portraits(frames: number, empty: number): Promise<Tensor> {
  const pixels = await sharp('assets/portraits/ada.jpg').resize(256, 256).removeAlpha().raw().toBuffer();
  const plane = 256 * 256;
  const data = new Float32Array(frames * (empty + 3) * plane);
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < 3 * plane; i++) {
      const channel = frame * (empty + 3) + (i % 3);
      data[channel * plane + Math.floor(i / 3)] = pixels[i]! / 127.5 - 1;
    }
  }
  return tensor(data, [frames, empty + 3, 256, 256]);
}

/** Twice the decoder's error where the processor adds products of bytes in 16 bits, which overflow: as on x86 without VNNI. */
const SATURATED_BOUND = 0.09;

/** Bounds below are twice what was found. */
const seen = await portraits(4, 4);
const pose = runAll('pose-guider', 'float32', { pictures: seen });
const latents = noise(11, [1, 16, 4, 32, 32]);

test('the pose guider of the tiny bundle in integers stays close to float32', async () => {
  const run = (precision: 'float32' | 'int8') => runTiny('pose-guider', precision, { pictures: seen });
  assertSimilar(await run('int8'), await run('float32'), 0.11);
});

test('the decoder of the tiny bundle in integers stays close to float32', async () => {
  const inputs = { latents: noise(12, [1, 16, 32, 32]), base: await portraits(1, 0) };
  const run = (precision: 'float32' | 'int8') => runTiny('decoder', precision, inputs);
  assertSimilar(await run('int8'), await run('float32'), integersAreFaster() ? 0.02 : SATURATED_BOUND);
});

test('the denoiser of the tiny bundle in integers stays close to float32 at the first and at a late step', async () => {
  const [integers, floats] = [
    await loadTiny('unconditional-denoising-unet', 'int8'),
    await loadTiny('unconditional-denoising-unet', 'float32'),
  ];
  for (const timestep of [999, 259]) {
    const inputs = { latents, timestep: tensor(Float32Array.of(timestep), [1]), ...(await pose) };
    const [found, expected] = [await integers.run(inputs), await floats.run(inputs)];
    assertSimilar(Object.values(found)[0]!, Object.values(expected)[0]!, 0.18);
  }
  await integers.dispose();
  await floats.dispose();
});
