import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { Engine } from '../../src/runtime/engine.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** Rounds up to 1.0009765625, the next number that half precision has. */
const BETWEEN = 1.0008;
const ROUNDED = 1 + 2 ** -10;

const engine = await Engine.open({ device: 'cpu', threads: 1 });
after(() => engine.dispose());

const pair = (a: number, b: number): Tensor => ({ data: Float32Array.of(a, b), dims: [1, 2] });

/** `sum = x + held + bound`; `held` and `bound` are of half precision, the result too where it is `narrow`. */
function sumGraph(narrow: boolean): Uint8Array {
  const graph = new GraphBuilder('sum');
  const x = graph.input('x', [1, 2]);
  const [held, bound] = ['held', 'bound'].map((name) => graph.input(name, [1, 2], { type: 'float16' }));
  const sum = graph.op('Add', [graph.op('Add', [x, held!]), bound!]);
  graph.output('sum', sum, [1, 2], narrow ? 'float16' : 'float32');
  return graph.toBytes();
}

/** `held = x` in half precision. */
function handOnGraph(): Uint8Array {
  const graph = new GraphBuilder('hand-on');
  const x = graph.input('x', [1, 2]);
  graph.output('held', x, [1, 2], 'float16');
  return graph.toBytes();
}

test('what an input of half precision is given is rounded once, whether it is bound, shared or of one run', async () => {
  const network = await engine.load('sum', sumGraph(false));
  await network.bind({ bound: pair(BETWEEN, 100) });
  const held = { held: pair(BETWEEN, 200) };
  for (let run = 0; run < 2; run++) {
    const { sum } = await network.run({ x: pair(0, 0.25) }, { held });
    assert.deepEqual(sum, pair(2 * ROUNDED, 300.25));
  }
  const { sum } = await network.run({ x: pair(0, 0.25), held: pair(BETWEEN, -1) });
  assert.deepEqual(sum, pair(2 * ROUNDED, 99.25));
  // The caller's stay as they are.
  assert.deepEqual(held, { held: pair(BETWEEN, 200) });
  await network.dispose();
});

test('an output of half precision comes back as its numbers', async () => {
  const network = await engine.load('sum', sumGraph(true));
  const { sum } = await network.run({ x: pair(1, 1e5), held: pair(0, 0), bound: pair(2 ** -24, -7) });
  assert.deepEqual(sum, pair(1, Number.POSITIVE_INFINITY));
  await network.dispose();
});

test('outputs stay in the engine in their element type, for networks of either, until they are released', async () => {
  const before = await engine.loadKeeping('hand-on', handOnGraph());
  const half = await engine.load('sum', sumGraph(false));
  const kept = await before.run({ x: pair(BETWEEN, 3) });
  assert.deepEqual(kept.outputs, { held: { dims: [1, 2] } });
  assert.equal(kept.bytes, 4);
  const bound = pair(0, 0);
  const read = async () => (await half.run({ x: pair(0, 0), bound }, { held: kept })).sum;
  assert.deepEqual(await read(), pair(ROUNDED, 3));

  const graph = new GraphBuilder('wide');
  graph.output('sum', graph.input('held', [1, 2]), [1, 2]);
  const wide = await engine.load('wide', graph.toBytes());
  assert.deepEqual((await wide.run({}, { held: kept })).sum, pair(ROUNDED, 3));
  assert.deepEqual(await read(), pair(ROUNDED, 3));
  kept.release();
  await assert.rejects(read(), /released/);
  for (const network of [before, half, wide]) await network.dispose();
});
