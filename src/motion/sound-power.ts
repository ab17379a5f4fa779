/** How loud a recording is, moment by moment, at the motion network's rate. */
import type { MotionConfig } from './motion-config.ts';

/** Options of {@link soundPower}. */
interface SoundPowerOptions {
  readonly config: MotionConfig;
  /** The whole clip's speech. */
  readonly pcm: Float32Array;
  /** First output; output `i` belongs to the time `i / outputRate`. */
  readonly first: number;
  readonly count: number;
}

/** `[count]` mean power of the samples around each output, full scale being 1; silence is assumed before and after the clip. */
export function soundPower({ config, pcm, first, count }: SoundPowerOptions): Float64Array {
  const step = config.hop * config.stemStride;
  return Float64Array.from({ length: count }, (_, i) => {
    const start = (first + i - 0.5) * step;
    let sum = 0;
    for (let k = Math.max(0, start); k < Math.min(pcm.length, start + step); k++) sum += pcm[k]! ** 2;
    return sum / step;
  });
}

/** Mean of each value and of up to `reach` on either side. */
export function movingMean(values: Float64Array, reach: number): Float64Array {
  return values.map((_, i) => {
    const near = values.subarray(Math.max(0, i - reach), i + reach + 1);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}
