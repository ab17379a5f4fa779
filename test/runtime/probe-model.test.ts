import assert from 'node:assert/strict';
import test from 'node:test';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { PROBE_EXPECTED, PROBE_INPUT, probeModel } from '../../src/runtime/probe-model.ts';

for (const precision of ['float32', 'float16'] as const) {
  test(`the kept bytes are those of the ${precision} graph that they claim to be`, () => {
    const graph = new GraphBuilder('probe', { precision });
    const x = graph.input('x', [1, 1, 2, 2]);
    const weight = graph.weight('w', Float32Array.of(2), [1, 1, 1, 1]);
    const doubled = graph.op('Conv', [x, weight], { kernel_shape: [1, 1] });
    const sum = graph.op('Add', [doubled, graph.weight('b', Float32Array.of(1), [1])]);
    const product = graph.op('MatMul', [sum, graph.weight('m', Float32Array.of(1, 2, 3, 4), [2, 2])]);
    graph.output('y', product, [1, 1, 2, 2]);
    assert.deepEqual(probeModel(precision), graph.toBytes());
  });
}

test('the expected result is the formula of the input', () => {
  const [a, b, c, d] = Array.from(PROBE_INPUT, (x) => 2 * x + 1) as [number, number, number, number];
  assert.deepEqual(PROBE_EXPECTED, [a + 3 * b, 2 * a + 4 * b, c + 3 * d, 2 * c + 4 * d]);
});
