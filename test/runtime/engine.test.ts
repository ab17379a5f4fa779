import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { EnvironmentError, InvalidOptionError, ModelError, ShapeError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine, listExecutionProviders } from '../../src/runtime/engine.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { LOADER, moduleUrl, ROOT } from '../helpers/run-program.ts';

/** `sum = a + b`, `product = a · b` for two pairs of numbers. */
function pairGraph(): Uint8Array {
  const graph = new GraphBuilder('pair');
  const a = graph.input('a', [2]);
  const b = graph.input('b', [2]);
  graph.output('sum', graph.op('Add', [a, b]), [2]);
  graph.output('product', graph.op('Mul', [a, b]), [2]);
  return graph.toBytes();
}

/** Many square matrix products in a row: keeps one core busy for a while. */
function slowGraph(size: number, products: number): Uint8Array {
  const graph = new GraphBuilder('slow');
  let x = graph.input('x', [size, size]);
  const weight = graph.float32('w', new Float32Array(size * size).fill(1 / size), [size, size]);
  for (let i = 0; i < products; i++) x = graph.op('MatMul', [x, weight]);
  graph.output('y', x, [size, size]);
  return graph.toBytes();
}

const pair = (a: number, b: number) => tensor(Float32Array.of(a, b), [2]);

async function withEngine(use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    await use(engine);
  } finally {
    await engine.dispose();
  }
}

test('runs a network and copies its inputs', () =>
  withEngine(async (engine) => {
    assert.equal(engine.device, 'cpu');
    const network = await engine.load('pair', pairGraph());
    assert.deepEqual(network.inputs, [
      { name: 'a', dims: [2] },
      { name: 'b', dims: [2] },
    ]);
    const a = pair(1, 2);
    const { sum, product } = await network.run({ a, b: pair(3, 4) });
    assert.deepEqual(sum, pair(4, 6));
    assert.deepEqual(product, pair(3, 8));
    assert.deepEqual(a, pair(1, 2));
  }));

test('copies the bytes of a model, also those of a Buffer, whose slices share its memory', () =>
  withEngine(async (engine) => {
    const bytes = pairGraph();
    const model = Buffer.alloc(bytes.length); // not of the pool, which would not be moved
    model.set(bytes);
    for (const name of ['first', 'second']) await (await engine.load(name, model)).dispose();
    assert.deepEqual(new Uint8Array(model), bytes);
  }));

test('moves its inputs on request, except views of a larger buffer and repeated ones', () =>
  withEngine(async (engine) => {
    const network = await engine.load('pair', pairGraph());
    const view = tensor(new Float32Array([9, 1, 2, 9]).subarray(1, 3), [2]);
    const moved = pair(3, 4);
    const { sum } = await network.run({ a: view, b: moved }, { transfer: true });
    assert.deepEqual(sum, pair(4, 6));
    assert.equal(moved.data.length, 0);
    assert.deepEqual(Array.from(view.data), [1, 2]);
    const same = pair(1, 5);
    assert.deepEqual((await network.run({ a: same, b: same }, { transfer: true })).product, pair(1, 25));
  }));

test('keeps bound inputs, and those of a run take precedence', () =>
  withEngine(async (engine) => {
    const network = await engine.load('pair', pairGraph());
    const bound = network.bind({ b: pair(10, 20) });
    assert.deepEqual((await network.run({ a: pair(1, 2) })).sum, pair(11, 22));
    assert.deepEqual((await network.run({ a: pair(1, 2), b: pair(0, 0) })).sum, pair(1, 2));
    assert.deepEqual((await network.run({ a: pair(3, 4) })).sum, pair(13, 24));
    await bound;
  }));

test('holds inputs that runs of several networks share; those of a run take precedence', () =>
  withEngine(async (engine) => {
    const networks = [await engine.load('pair', pairGraph()), await engine.load('twin', pairGraph())];
    const held = { b: pair(10, 20) };
    for (const network of networks) {
      for (const a of [pair(1, 2), pair(3, 4)]) {
        const { sum } = await network.run({ a }, { held });
        assert.deepEqual(sum, pair(a.data[0]! + 10, a.data[1]! + 20));
      }
    }
    assert.deepEqual(held.b, pair(10, 20));
    const [network] = networks;
    assert.deepEqual((await network!.run({ a: pair(1, 2) }, { held: { b: pair(5, 5) } })).sum, pair(6, 7));
    assert.deepEqual((await network!.run({ a: pair(1, 2), b: pair(0, 0) }, { held })).sum, pair(1, 2));
    await assert.rejects(network!.run({ a: pair(1, 2) }), ShapeError);
    await assert.rejects(network!.run({ a: pair(1, 2) }, { held: { c: pair(1, 2) } }), ShapeError);
  }));

test('holds any number of large groups, one after another', () =>
  withEngine(async (engine) => {
    const graph = new GraphBuilder('first');
    const x = graph.input('x', [5_000_000]);
    const first = graph.op('Slice', [x, graph.int64([0]), graph.int64([1])]);
    graph.output('y', first, [1]);
    const network = await engine.load('first', graph.toBytes());
    // Four of 20 MB: one more than the worker keeps, so that the first is sent twice.
    const groups = [1, 2, 3, 4].map((value) => ({
      x: tensor(new Float32Array(5_000_000).fill(value), [5_000_000]),
    }));
    const seen: number[] = [];
    for (const held of [...groups, groups[0]!]) seen.push((await network.run({}, { held })).y!.data[0]!);
    assert.deepEqual(seen, [1, 2, 3, 4, 1]);
  }));

test('refuses inputs that do not fit, by name', () =>
  withEngine(async (engine) => {
    const network = await engine.load('pair', pairGraph());
    await assert.rejects(network.run({ a: pair(1, 2) }), (error: Error) => {
      assert.ok(error instanceof ShapeError);
      assert.match(error.message, /Cannot run pair: expected inputs b/);
      return true;
    });
    await assert.rejects(network.run({ a: pair(1, 2), b: pair(1, 2), c: pair(1, 2) }), /got c$/);
    const long = tensor(new Float32Array(3), [3]);
    await assert.rejects(network.run({ a: pair(1, 2), b: long }), /expected b of shape \[2\], got \[3\]/);
  }));

test('an error in the worker rejects the call that caused it, and only that', () =>
  withEngine(async (engine) => {
    const graph = new GraphBuilder('broken');
    graph.output('y', graph.op('NoSuchOperator', [graph.input('x', [1])]), [1]);
    const broken = engine.load('broken', graph.toBytes());
    const good = engine.load('pair', pairGraph());
    await assert.rejects(broken, (error: Error) => {
      assert.ok(error instanceof ModelError);
      assert.equal(error.modelPath, 'broken');
      assert.match(error.message, /Cannot load broken: .*NoSuchOperator/s);
      assert.ok(error.cause instanceof Error);
      return true;
    });
    assert.deepEqual((await (await good).run({ a: pair(1, 2), b: pair(1, 2) })).sum, pair(2, 4));

    const gather = new GraphBuilder('gather');
    const index = gather.op('Cast', [gather.input('i', [1])], { to: 7 });
    gather.output('y', gather.op('Gather', [gather.float32('t', new Float32Array(4), [4]), index]), [1]);
    const network = await engine.load('gather', gather.toBytes());
    await assert.rejects(network.run({ i: tensor(Float32Array.of(9), [1]) }), (error: Error) => {
      assert.ok(error instanceof ModelError && error.cause instanceof Error);
      return true;
    });
    assert.equal((await network.run({ i: tensor(Float32Array.of(2), [1]) })).y!.data.length, 1);
  }));

test('the event loop keeps running while a network runs, and disposal waits for the run', async () => {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  const size = 512;
  const slow = await engine.load('slow', slowGraph(size, 48));
  const run = slow.run({ x: tensor(new Float32Array(size * size).fill(1), [size, size]) });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 2);
  const order: string[] = [];
  const finished = run.then(({ y }) => {
    order.push('run');
    assert.ok(Math.abs(y!.data[0]! - 1) < 1e-3);
  });
  const disposed = engine.dispose().then(() => order.push('dispose'));
  await Promise.all([finished, disposed, engine.dispose(), slow.dispose()]);
  clearInterval(timer);
  assert.deepEqual(order, ['run', 'dispose']);
  assert.ok(ticks >= 3, `timer fired ${ticks} times`);
  await assert.rejects(engine.load('late', pairGraph()), ModelError);
  await assert.rejects(
    slow.run({ x: tensor(new Float32Array(size * size), [size, size]) }),
    /it was disposed of/,
  );
});

test('a network can be disposed of by itself, twice', () =>
  withEngine(async (engine) => {
    const network = await engine.load('pair', pairGraph());
    await Promise.all([network.dispose(), network.dispose()]);
    await assert.rejects(network.run({ a: pair(1, 2), b: pair(1, 2) }), ModelError);
  }));

test('a device that does not exist or does not work is refused, without falling back', async () => {
  await assert.rejects(Engine.open({ device: 'tpu' as 'cpu' }), InvalidOptionError);
  await assert.rejects(Engine.open({ device: 'cpu', threads: 0 }), InvalidOptionError);
  const missing = process.platform === 'darwin' ? 'dml' : 'coreml';
  await assert.rejects(Engine.open({ device: missing }), (error: Error) => {
    assert.ok(error instanceof EnvironmentError);
    assert.match(error.message, new RegExp(`Cannot use device ${missing}: .*${missing}: \\S+`));
    assert.doesNotMatch(error.message, /\.\./);
    return true;
  });
});

test('auto takes the first device that works and says which', async () => {
  const notices: string[] = [];
  const engine = await Engine.open({ device: 'auto', threads: 1, onNotice: (text) => notices.push(text) });
  try {
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, new RegExp(`^device auto: using ${engine.device}`));
    if (process.platform === 'linux' && engine.device === 'cpu') assert.match(notices[0]!, /cuda: \S+/);
  } finally {
    await engine.dispose();
  }
});

test('lists what works here and why the rest does not', async () => {
  const providers = await listExecutionProviders();
  assert.deepEqual(
    providers.map((provider) => provider.device),
    ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'],
  );
  assert.deepEqual(providers[0], { device: 'cpu', bundled: true, usable: true });
  for (const provider of providers) assert.ok(provider.usable || provider.reason !== '');
});

test('an engine that was forgotten does not keep the process alive, and nothing is printed', () => {
  const code = `
    import { Engine } from ${JSON.stringify(moduleUrl('src/runtime/engine.ts'))};
    const engine = await Engine.open({ device: 'auto', threads: 1 });
    console.log(engine.device.length > 0);`;
  const child = spawnSync(process.execPath, [...LOADER, '--input-type=module', '--eval', code], {
    encoding: 'utf8',
    cwd: ROOT,
    timeout: 600_000, // a probe that hangs; the test cannot be ended from its own thread
  });
  assert.deepEqual([child.status, child.stdout, child.stderr], [0, 'true\n', '']);
});
