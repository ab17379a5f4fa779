/** A graph that moves tensors and computes next to nothing, which shows the bandwidth that the engine reaches. */
import { GraphBuilder } from '../onnx/graph.ts';

/** Options of {@link buildMemoryProbe}. */
interface MemoryProbeOptions {
  /** Float32 elements of every tensor. */
  readonly elements: number;
  /** Sums one after another. */
  readonly sums: number;
}

/** `x` [elements] added to a running sum over and over, to `y` [], the largest element. */
export function buildMemoryProbe({ elements, sums }: MemoryProbeOptions): GraphBuilder {
  const graph = new GraphBuilder('memory-probe');
  const input = graph.input('x', [elements]);
  let x = input;
  for (let i = 0; i < sums; i++) x = graph.op('Add', [x, input]);
  graph.output('y', graph.op('ReduceMax', [x, graph.int64([0])], { keepdims: 0 }), []);
  return graph;
}

/** Bytes that one run reads and writes: two tensors read and one written by each sum, one read at the end. */
export function memoryProbeBytes({ elements, sums }: MemoryProbeOptions): number {
  return 4 * elements * (3 * sums + 1);
}
