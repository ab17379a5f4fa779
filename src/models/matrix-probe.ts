/** A graph of nothing but matrix products, which shows what the engine reaches on a machine at best. */
import { GraphBuilder, type Precision } from '../onnx/graph.ts';
import { RandomStream } from '../tensor/random.ts';

/** Options of {@link buildMatrixProbe}. */
interface MatrixProbeOptions {
  /** Rows and columns of every matrix. */
  readonly size: number;
  /** Products one after another. */
  readonly products: number;
  /** @defaultValue 'float32' */
  readonly precision?: Precision;
}

/**
 * `x` [size, size] times a random matrix, over and over, to `y` [1], the mean: almost nothing has to be moved. The matrix
 * keeps the values' deviation, so that none overflows or becomes denormal.
 */
export function buildMatrixProbe({ size, products, precision }: MatrixProbeOptions): GraphBuilder {
  const graph = new GraphBuilder('matrix-probe', { precision });
  const data = new RandomStream([size]).fillNormal(new Float32Array(size * size));
  for (let i = 0; i < data.length; i++) data[i]! /= Math.sqrt(size);
  const matrix = graph.weight('matrix', data, [size, size]);
  let x = graph.input('x', [size, size]);
  for (let i = 0; i < products; i++) x = graph.op('MatMul', [x, matrix]);
  graph.output('y', graph.op('ReduceMean', [x, graph.int64([0, 1])], { keepdims: 0 }), []);
  return graph;
}

/** Multiplications and additions of one run. */
export function matrixProbeFlops({ size, products }: MatrixProbeOptions): number {
  return 2 * size ** 3 * products;
}
