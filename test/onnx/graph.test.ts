import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { floatAttribute, GraphBuilder } from '../../src/onnx/graph.ts';
import { fc } from '../helpers/fast-check.ts';

/** Reads a written model with an independent decoder of ONNX's own schema. */
function readBack(graph: GraphBuilder) {
  return fromBinary(ModelProtoSchema, graph.toBytes());
}

test('names, operators, edges and domains survive', () => {
  const graph = new GraphBuilder('two nodes', { opset: 23 });
  const x = graph.input('x', ['batch', 4]);
  const [a, b] = graph.ops('Split', [x], { outputs: 2, attributes: { axis: 1 } });
  const y = graph.msOp('QuickGelu', [graph.op('Clip', [a!, undefined, graph.scalar(6)])], {
    alpha: floatAttribute(1),
  });
  graph.output('y', graph.op('Add', [y, b!]), ['batch', 2]);
  const model = readBack(graph);
  assert.equal(model.irVersion, 10n);
  assert.deepEqual(
    model.opsetImport.map(({ domain, version }) => [domain, version]),
    [
      ['', 23n],
      ['com.microsoft', 1n],
    ],
  );
  const nodes = model.graph!.node;
  assert.deepEqual(
    nodes.map(({ opType }) => opType),
    ['Split', 'Clip', 'QuickGelu', 'Add', 'Identity'],
  );
  assert.deepEqual(nodes[1]!.input, [nodes[0]!.output[0], '', 'scalar:6']);
  assert.equal(nodes[2]!.domain, 'com.microsoft');
  assert.equal(nodes[2]!.attribute[0]!.f, 1);
  assert.deepEqual(nodes[4]!.output, ['y']);
});

test('weights are written once under a name, and small constants are shared', () => {
  const graph = new GraphBuilder('weights');
  const weight = new Float32Array([1.5, -2, 3]);
  graph.float32('w', weight, [3]);
  graph.float32('w', weight, [3]);
  graph.int64([1, -1]);
  graph.int64([1, -1]);
  const { initializer } = readBack(graph).graph!;
  assert.deepEqual(
    initializer.map(({ name }) => name),
    ['w', 'int64:1,-1'],
  );
  const raw = initializer[0]!.rawData!;
  assert.deepEqual(new Float32Array(raw.slice().buffer), weight);
});

test('attributes of every kind come back as they were', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.float({ noNaN: true }),
      fc.array(fc.integer(), { minLength: 1 }),
      fc.string(),
      (whole, float, list, text) => {
        const graph = new GraphBuilder('attributes');
        graph.op('Node', [], { whole, float: { float }, list, text });
        const found = readBack(graph).graph!.node[0]!.attribute;
        assert.deepEqual(
          found.map(({ name }) => name),
          ['whole', 'float', 'list', 'text'],
        );
        assert.equal(found[0]!.i, BigInt(whole));
        assert(Object.is(found[1]!.f, Math.fround(float)));
        assert.deepEqual(found[2]!.ints, list.map(BigInt));
        assert.equal(new TextDecoder().decode(found[3]!.s), text);
      },
    ),
  );
});

test('a number that is not whole has to be marked as a float', () => {
  assert.throws(() => new GraphBuilder('wrong').op('Node', [], { alpha: 0.5 }), /floatAttribute/);
});

test('weights in half precision are widened by nodes before all others; small ones and constants stay', () => {
  const graph = new GraphBuilder('halved');
  const x = graph.input('x', [1, 256]);
  const large = Float32Array.from({ length: 256 * 256 }, (_, i) => Math.sin(i));
  const product = graph.op('MatMul', [x, graph.weight('large', large, [256, 256])]);
  const sum = graph.op('Add', [product, graph.weight('small', new Float32Array(256).fill(1 / 3), [256])]);
  graph.output('y', graph.op('Add', [sum, graph.float32('table', new Float32Array(65_536), [256, 256])]));
  graph.keepWeightsInHalf();
  const model = readBack(graph).graph!;
  assert.deepEqual(
    model.node.map(({ opType, input }) => [opType, ...input].slice(0, 2)),
    [
      ['Cast', 'large:half'],
      ['MatMul', 'x'],
      ['Add', product.name],
      ['Add', sum.name],
      ['Identity', 'Add_3'],
    ].map((node) => (node[0] === 'Identity' ? ['Identity', model.node.at(-1)!.input[0]!] : node)),
  );
  const kept = new Map(
    model.initializer.map(({ name, dataType, rawData }) => [name, [dataType, rawData.length]]),
  );
  assert.deepEqual(kept.get('large:half'), [10, 2 * large.length]);
  assert.deepEqual(kept.get('small'), [1, 4 * 256]);
  assert.deepEqual(kept.get('table'), [1, 4 * 65_536]);
  assert.equal(kept.has('large'), false);
  const ids = graph.externalTensors().map(({ id, length }) => [id, length]);
  assert.ok(ids.some(([id, length]) => id === 'large:half:float16:256x256' && length === 2 * large.length));
});
