import assert from 'node:assert/strict';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { elementCount } from '../../src/tensor/tensor.ts';

const product = (dims: readonly number[] | undefined): number => elementCount(dims!);

/**
 * Multiplications and additions of a graph's convolutions, matrix products and attentions, from the shapes that the
 * engine itself finds when every edge is made an output.
 *
 * @param free - sizes of dimensions that the graph leaves open.
 */
export async function countGraphFlops(
  bytes: Uint8Array,
  free: Readonly<Record<string, number>> = {},
): Promise<number> {
  const model = fromBinary(ModelProtoSchema, bytes);
  const graph = model.graph!;
  const shapes = new Map<string, readonly number[]>(
    graph.initializer.map(({ name, dims }) => [name!, dims.map(Number)]),
  );
  const declared = new Set(graph.output.map(({ name }) => name));
  for (const name of graph.node.flatMap(({ output }) => output)) {
    if (!declared.has(name)) graph.output.push(create(ValueInfoProtoSchema, { name }));
  }
  const feeds: Record<string, OrtTensor> = {};
  for (const { name, type } of graph.input) {
    assert.equal(type!.value.case, 'tensorType');
    const { shape } = type!.value.value as {
      shape?: { dim: { value: { case?: string; value?: unknown } }[] };
    };
    const dims = shape!.dim.map(({ value }) =>
      value.case === 'dimParam' ? free[value.value as string]! : Number(value.value),
    );
    shapes.set(name!, dims);
    feeds[name!] = new OrtTensor('float32', new Float32Array(elementCount(dims)), dims);
  }
  const session = await InferenceSession.create(toBinary(ModelProtoSchema, model), {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    for (const [name, { dims }] of Object.entries(await session.run(feeds))) shapes.set(name, dims);
  } finally {
    await session.release();
  }

  let flops = 0;
  for (const { opType, input, output } of graph.node) {
    const [first, second] = [shapes.get(input[0]!), shapes.get(input[1] ?? '')];
    const out = shapes.get(output[0]!);
    switch (opType) {
      case 'Conv': // every output value reads the kernel once; one of a single value is a norm's scale
        if (product(second!.slice(1)) > 1) flops += 2 * product(out) * product(second!.slice(1));
        break;
      case 'Gemm':
      case 'MatMul': // every output value reads a row as long as the first operand's
        flops += 2 * product(out) * first!.at(-1)!;
        break;
      case 'Attention':
      case 'MultiHeadAttention': // query · keyᵀ, and scores · value
        flops += 4 * product(first) * second!.at(-2)!;
        break;
      case 'ConvTranspose':
      case 'Einsum':
        assert.fail(`${opType} is not counted`);
    }
  }
  return flops;
}
