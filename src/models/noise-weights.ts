/** Weights for measuring a network's speed when its own cannot be had. */

import { RandomStream } from '../tensor/random.ts';
import { elementCount } from '../tensor/tensor.ts';
import type { WeightSource } from '../weights/weight-source.ts';
import type { WeightSpec } from './weight-reader.ts';

/** Noise of a trained network's scale, made when it is read. */
export function noiseWeights(specs: readonly WeightSpec[]): WeightSource {
  const shapes = new Map(specs.map(({ key, dims }) => [key, dims]));
  // One piece of noise for all: what it says does not matter, and drawing billions of numbers takes minutes.
  const noise = new RandomStream([1]).fillNormal(new Float32Array(65536));
  return {
    path: 'noise',
    keys: () => shapes.keys(),
    has: (key) => shapes.has(key),
    info: (key) => ({ dims: shapes.get(key)!, dtype: 'F32' }),
    read: (key) => {
      const dims = shapes.get(key)!;
      const scale = dims.length < 2 ? 0.02 : 1 / Math.sqrt(elementCount(dims.slice(1)));
      const offset = dims.length === 1 && key.endsWith('weight') ? 1 : 0;
      const data = new Float32Array(elementCount(dims));
      for (let i = 0; i < data.length; i++) data[i] = offset + scale * noise[(i * 7) & 65535]!;
      return { data, dims };
    },
  };
}
