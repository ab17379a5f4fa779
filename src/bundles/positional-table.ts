/** The sinusoidal table of positions, for files that leave it out. */
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Sines at even and cosines at odd channels, [1, length, channels].
 *
 * Source: `PositionalEncoding` of AniPortrait's motion module and of its Audio2Pose.
 */
export function positionalTable(dims: readonly number[]): Tensor {
  const [, length, channels] = dims as [number, number, number];
  const data = new Float32Array(length * channels);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < channels; i += 2) {
      const rate = Math.fround(Math.exp((-Math.log(10000) * i) / channels));
      data[position * channels + i] = Math.sin(position * rate);
      data[position * channels + i + 1] = Math.cos(position * rate);
    }
  }
  return { data, dims };
}
