import assert from 'node:assert/strict';
import test from 'node:test';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { probeDevices } from '../../src/runtime/probe-devices.ts';
import { uploadModel } from '../../src/runtime/resident-tensors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

const usable = (await probeDevices()).filter((found) => found.usable).map(({ device }) => device);

test('the kept bytes are those of the graph that they claim to be', () => {
  const graph = new GraphBuilder('upload');
  graph.output('y', graph.input('x'));
  assert.deepEqual(uploadModel(), graph.toBytes());
});

/** `y = x · bound + held`, each of two values. */
function threeInputs(): Uint8Array {
  const graph = new GraphBuilder('three-inputs');
  const [x, bound, held] = ['x', 'bound', 'held'].map((name) => graph.input(name, [1, 2]));
  graph.output('y', graph.op('Add', [graph.op('Mul', [x!, bound!]), held!]), [1, 2]);
  return graph.toBytes();
}

const pair = (a: number, b: number): Tensor => ({ data: Float32Array.of(a, b), dims: [1, 2] });

/** What each of several runs computes, as its inputs change, and what it copies. */
const runs = async (engine: Engine) => {
  const network = await engine.load('three-inputs', threeInputs());
  await network.bind({ bound: pair(2, 3) });
  const [first, second] = [{ held: pair(10, 20) }, { held: pair(100, 200) }];
  const values: number[][] = [];
  const run = async (x: Tensor, held: typeof first): Promise<void> => {
    values.push([...(await network.run({ x }, { held })).y!.data]);
  };
  await run(pair(1, 1), first);
  await run(pair(2, 2), first);
  await run(pair(1, 1), second);
  await network.bind({ bound: pair(4, 5) });
  await run(pair(1, 1), first);
  await network.dispose();
  return { values, copies: await engine.takeCopies() };
};
const EXPECTED = [
  [12, 23],
  [14, 26],
  [102, 203],
  [14, 25],
];

test('the CPU copies nothing', async () => {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    const none = { count: 0, bytes: 0 };
    assert.deepEqual(await runs(engine), {
      values: EXPECTED,
      copies: { toDevice: none, fromDevice: none },
    });
  } finally {
    await engine.dispose();
  }
});

test('on WebGPU, an input that several runs share is uploaded once', {
  skip: usable.includes('webgpu') ? false : 'WebGPU does not open here',
}, async () => {
  const engine = await Engine.open({ device: 'webgpu' });
  try {
    // Four inputs that change, two states of the bound one, two groups; a run gives one output back.
    assert.deepEqual(await runs(engine), {
      values: EXPECTED,
      copies: { toDevice: { count: 8, bytes: 64 }, fromDevice: { count: 4, bytes: 32 } },
    });
    const none = { count: 0, bytes: 0 };
    assert.deepEqual(await engine.takeCopies(), { toDevice: none, fromDevice: none });
  } finally {
    await engine.dispose();
  }
});

/** `held = 10 · x` and `bound = x`, of two values each. */
function tenfold(): Uint8Array {
  const graph = new GraphBuilder('tenfold');
  const ten = graph.initializer('ten', { type: 'float32', ...pair(10, 10) });
  const x = graph.input('x', [1, 2]);
  graph.output('held', graph.op('Mul', [x, ten]), [1, 2]);
  graph.output('bound', graph.op('Identity', [x]), [1, 2]);
  return graph.toBytes();
}

test('on WebGPU, what one network leaves there another reads, and nothing is copied', {
  skip: usable.includes('webgpu') ? false : 'WebGPU does not open here',
}, async () => {
  const engine = await Engine.open({ device: 'webgpu' });
  try {
    assert.equal(engine.keepsTensors, true);
    const before = await engine.loadKeeping('tenfold', tenfold());
    const after = await engine.load('three-inputs', threeInputs());
    const [first, second] = [await before.run({ x: pair(1, 2) }), await before.run({ x: pair(3, 4) })];
    assert.deepEqual(first.outputs, { held: { dims: [1, 2] }, bound: { dims: [1, 2] } });
    assert.equal(first.bytes, 16);
    const values: number[][] = [];
    for (const held of [first, second, first]) {
      values.push([...(await after.run({ x: pair(1, 1) }, { held })).y!.data]);
    }
    assert.deepEqual(values, [
      [11, 22],
      [33, 44],
      [11, 22],
    ]);
    // An input of the first network for each group, of the second for each run; each run's result.
    assert.deepEqual(await engine.takeCopies(), {
      toDevice: { count: 5, bytes: 40 },
      fromDevice: { count: 3, bytes: 24 },
    });
    first.release();
    first.release();
    await assert.rejects(after.run({ x: pair(1, 1) }, { held: first }), /released/);
    assert.deepEqual([...(await after.run({ x: pair(1, 1) }, { held: second })).y!.data], [33, 44]);
    second.release();
    await before.dispose();
  } finally {
    await engine.dispose();
  }
});
