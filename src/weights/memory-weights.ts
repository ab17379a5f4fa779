/** Weights that are in memory already, e.g. made by a program or a test. */
import { ModelError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { WeightSource } from './weight-source.ts';

/**
 * Wraps tensors as a weight source; they are kept, not copied.
 *
 * @param path - what messages call the source.
 */
export function memoryWeights(path: string, tensors: ReadonlyMap<string, Tensor>): WeightSource {
  const get = (key: string): Tensor => {
    const found = tensors.get(key);
    if (found === undefined) {
      throw new ModelError(`Cannot read weight ${key} of ${path}: expected it there, got none`, path);
    }
    return found;
  };
  return {
    path,
    keys: () => tensors.keys(),
    has: (key) => tensors.has(key),
    info: (key) => ({ dims: get(key).dims, dtype: 'F32' }),
    read: get,
  };
}
