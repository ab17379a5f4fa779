import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';

/** Loads an ONNX graph in this process on one CPU thread; for tests and scripts that need no worker. */
export async function loadOrtNetwork(_name: string, graph: Uint8Array | GraphBuilder) {
  const session = await InferenceSession.create(graph instanceof GraphBuilder ? graph.toBytes() : graph, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return {
    async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, { data, dims }]) => [
          name,
          new OrtTensor('float32', data, [...dims]),
        ]),
      );
      const outputs = await session.run(feeds);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => [
          name,
          tensor(value.data as Float32Array, value.dims),
        ]),
      );
    },
    async dispose(): Promise<void> {
      await session.release();
    },
  };
}
