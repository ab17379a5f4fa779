import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildPatchDecoder,
  buildPatchEncoder,
  type PatchTransformConfig,
  patchDecoderReach,
} from '../../src/models/patch-transform.ts';
import type { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import { memoryWeights } from '../../src/weights/memory-weights.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FLOAT32 = { rtol: 1e-4, atol: 2e-4 }; // sums of some hundred products
const CONFIG: PatchTransformConfig = {
  type: 'patch-transform',
  patchSize: 4,
  latentChannels: 5,
  refiner: { width: 6, layers: 2 },
};
const SIZE = 8;
const CELLS = SIZE / CONFIG.patchSize;
const FRAMES = 3;

function random(key: number, dims: readonly number[], scale = 1): Tensor {
  const data = new RandomStream([key]).fillNormal(new Float32Array(elementCount(dims)));
  return { data: data.map((value) => value * scale), dims };
}

const tensors = new Map<string, Tensor>([
  ['encoder.weight', random(1, [5, 3, 4, 4], 0.2)],
  ['encoder.bias', random(2, [5])],
  ['synthesis.weight', random(3, [5, 3, 4, 4], 0.2)],
  ['refiner.conv_in.weight', random(4, [6, 24, 3, 3], 0.1)],
  ['refiner.conv_in.bias', random(5, [6], 0.1)],
  ['refiner.layers.0.weight', random(6, [6, 6, 3, 3], 0.1)],
  ['refiner.layers.0.bias', random(7, [6], 0.1)],
  ['refiner.layers.1.weight', random(8, [6, 6, 3, 3], 0.1)],
  ['refiner.layers.1.bias', random(9, [6], 0.1)],
  ['refiner.conv_out.weight', random(10, [12, 6, 3, 3], 0.1)],
  ['refiner.conv_out.bias', random(11, [12], 0.1)],
]);
const weights = memoryWeights('test', tensors);

async function run(graph: GraphBuilder, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    return await (await engine.load('codec', graph.toBytes())).run(inputs);
  } finally {
    await engine.dispose();
  }
}

/** A picture as planes: value at channel, row, column; zero outside. */
type Planes = (channel: number, y: number, x: number) => number;

function convolve(planes: Planes, key: string, height: number, width: number): Planes {
  const { data, dims } = tensors.get(`${key}.weight`)!;
  const bias = tensors.get(`${key}.bias`)!.data;
  const inputs = dims[1]!;
  return (o, y, x) => {
    if (y < 0 || x < 0 || y >= height || x >= width) return 0;
    let sum = bias[o]!;
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < 9; k++) {
        sum += data[(o * inputs + i) * 9 + k]! * planes(i, y + Math.floor(k / 3) - 1, x + (k % 3) - 1);
      }
    }
    return sum;
  };
}

/** Evaluates planes once, for speed. */
function fixed(planes: Planes, channels: number, height: number, width: number): Planes {
  const data = new Float64Array(channels * height * width);
  for (let i = 0; i < data.length; i++) {
    data[i] = planes(Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width);
  }
  return (c, y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : data[(c * height + y) * width + x]!);
}

test('the encoder projects patches', async () => {
  const picture = random(20, [1, 3, SIZE, SIZE]);
  const { latents } = await run(buildPatchEncoder(CONFIG, weights, { height: SIZE, width: SIZE }), {
    picture,
  });
  const expected: number[] = [];
  for (let c = 0; c < 5; c++) {
    for (let cell = 0; cell < CELLS * CELLS; cell++) {
      let sum = tensors.get('encoder.bias')!.data[c]!;
      for (let i = 0; i < 48; i++) {
        const [colour, dy, dx] = [Math.floor(i / 16), Math.floor(i / 4) % 4, i % 4];
        const [y, x] = [Math.floor(cell / CELLS) * 4 + dy, (cell % CELLS) * 4 + dx];
        sum +=
          tensors.get('encoder.weight')!.data[c * 48 + i]! * picture.data[(colour * SIZE + y) * SIZE + x]!;
      }
      expected.push(sum);
    }
  }
  assertAllClose(latents!.data, expected, FLOAT32);
});

test('the decoder is the synthesis, a residual refiner at half resolution, and no more', async () => {
  const latents = random(21, [FRAMES, 5, CELLS, CELLS]);
  const base = random(22, [FRAMES, 3, SIZE, SIZE], 0.3);
  const graph = buildPatchDecoder(CONFIG, weights, { frames: FRAMES, height: SIZE, width: SIZE });
  const { difference } = await run(graph, { latents, base });
  assert.deepEqual(difference!.dims, [FRAMES, 3, SIZE, SIZE]);
  const half = SIZE / 2;
  const silu = (value: number): number => value / (1 + Math.exp(-value));
  for (let f = 0; f < FRAMES; f++) {
    const baseAt: Planes = (c, y, x) => base.data[((f * 3 + c) * SIZE + y) * SIZE + x]!;
    const picture = fixed(
      (c, y, x) => {
        let sum = baseAt(c, y, x);
        for (let l = 0; l < 5; l++) {
          const cell = Math.floor(y / 4) * CELLS + Math.floor(x / 4);
          sum +=
            latents.data[(f * 5 + l) * CELLS * CELLS + cell]! *
            tensors.get('synthesis.weight')!.data[((l * 3 + c) * 4 + (y % 4)) * 4 + (x % 4)]!;
        }
        return Math.max(-1, Math.min(1, sum));
      },
      3,
      SIZE,
      SIZE,
    );
    // torch's pixel_unshuffle of picture and base, one after the other
    const unshuffled: Planes = (k, y, x) => {
      if (y < 0 || x < 0 || y >= half || x >= half) return 0;
      const colour = Math.floor(k / 4);
      const [py, px] = [y * 2 + (Math.floor(k / 2) % 2), x * 2 + (k % 2)];
      return colour < 3 ? picture(colour, py, px) : baseAt(colour - 3, py, px);
    };
    const first = convolve(unshuffled, 'refiner.conv_in', half, half);
    let x = fixed((c, y, col) => silu(first(c, y, col)), 6, half, half);
    for (const layer of [0, 1]) {
      const previous = x;
      const next = convolve(previous, `refiner.layers.${layer}`, half, half);
      x = fixed((c, y, col) => previous(c, y, col) + silu(next(c, y, col)), 6, half, half);
    }
    const correction = convolve(x, 'refiner.conv_out', half, half);
    const expected: number[] = [];
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < SIZE; y++) {
        for (let col = 0; col < SIZE; col++) {
          const block = c * 4 + (y % 2) * 2 + (col % 2);
          expected.push(
            picture(c, y, col) +
              correction(block, Math.floor(y / 2), Math.floor(col / 2)) -
              baseAt(c, y, col),
          );
        }
      }
    }
    assertAllClose(
      difference!.data.subarray(f * 3 * SIZE * SIZE, (f + 1) * 3 * SIZE * SIZE),
      expected,
      FLOAT32,
      `frame ${f}`,
    );
  }
});

test('a part of pictures is decoded as in the whole of them, but for what its edge does not see', async () => {
  const [size, cell] = [48, CONFIG.patchSize];
  const part = { left: 4, top: 8, right: 44, bottom: 40 };
  const cut = ({ data, dims }: Tensor, scale: number): Tensor => {
    const [frames, channels, height, width] = dims as [number, number, number, number];
    const [rows, columns] = [(part.bottom - part.top) / scale, (part.right - part.left) / scale];
    const out = new Float32Array(frames * channels * rows * columns);
    for (let i = 0; i < out.length; i++) {
      const plane = Math.floor(i / (rows * columns));
      const y = part.top / scale + (Math.floor(i / columns) % rows);
      out[i] = data[(plane * height + y) * width + part.left / scale + (i % columns)]!;
    }
    return { data: out, dims: [frames, channels, rows, columns] };
  };
  const latents = random(23, [2, 5, size / cell, size / cell]);
  const base = random(24, [2, 3, size, size], 0.3);
  const options = { frames: 2, height: size, width: size };
  const whole = await run(buildPatchDecoder(CONFIG, weights, options), { latents, base });
  const decoded = await run(buildPatchDecoder(CONFIG, weights, { ...options, parts: true }), {
    latents: cut(latents, cell),
    base: cut(base, 1),
  });
  const expected = cut(whole.difference!, 1);
  const { data, dims } = decoded.difference!;
  assert.deepEqual(dims, expected.dims);
  const [, , height, width] = dims as [number, number, number, number];
  const reach = patchDecoderReach(CONFIG);
  let farthest = -1;
  data.forEach((value, i) => {
    const [y, x] = [Math.floor(i / width) % height, i % width];
    const toEdge = Math.min(x, y, width - 1 - x, height - 1 - y);
    if (Math.abs(value - expected.data[i]!) > 1e-5) farthest = Math.max(farthest, toEdge);
  });
  assert.ok(farthest >= reach - 2 && farthest < reach, `${farthest} pixels from the edge`);
});
