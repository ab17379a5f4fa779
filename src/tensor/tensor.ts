/** Dense row-major float32 tensors: a data array with its dimensions, and the few operations that samplers need. */
import { ShapeError } from '../errors.ts';

/** Row-major numbers with their shape; functions never change their inputs. */
export interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Number of elements of a shape; 1 for a scalar's `[]`. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/**
 * Pairs `data` with `dims`; the array is kept, not copied.
 *
 * @throws {@link ShapeError} if the number of elements differs.
 */
export function tensor(data: Float32Array, dims: readonly number[]): Tensor {
  if (data.length !== elementCount(dims)) {
    throw new ShapeError(
      `Cannot shape ${data.length} values as [${dims.join(', ')}]: expected ${elementCount(dims)}`,
    );
  }
  return { data, dims };
}

/** A tensor of zeros. */
export function zeros(dims: readonly number[]): Tensor {
  return { data: new Float32Array(elementCount(dims)), dims };
}

/** @throws {@link ShapeError} unless `value` has exactly the shape `dims`; `name` is for the message. */
export function assertDims(name: string, value: Tensor, dims: readonly number[]): void {
  if (value.dims.length !== dims.length || value.dims.some((dim, axis) => dim !== dims[axis])) {
    throw new ShapeError(
      `Cannot use ${name}: expected shape [${dims.join(', ')}], got [${value.dims.join(', ')}]`,
    );
  }
}

/** `a · x + b · y`, element by element; the shapes are those of `x`. */
export function addScaled(a: number, x: Tensor, b: number, y: Tensor): Tensor {
  assertDims('y', y, x.dims);
  const data = new Float32Array(x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = a * x.data[i]! + b * y.data[i]!;
  return { data, dims: x.dims };
}

/** Index of the first value that is NaN or infinite, or -1. */
export function firstNonFinite(value: Tensor): number {
  for (let i = 0; i < value.data.length; i++) if (!Number.isFinite(value.data[i]!)) return i;
  return -1;
}
