/** Planes of floating-point samples for the portrait morphs: resampling, blurring, pyramids. */

/** Square picture or field, `size · size` samples a channel, channels interleaved. */
export interface Planes {
  readonly size: number;
  readonly channels: number;
  readonly data: Float32Array;
}

/** A new picture of zeros, or around `data`. */
export function planes(
  size: number,
  channels: number,
  data: Float32Array = new Float32Array(size * size * channels),
): Planes {
  return { size, channels, data };
}

/** Gaussian blur with replicated borders. */
export function blur({ size, channels, data }: Planes, sigma: number): Planes {
  const radius = Math.max(1, Math.ceil(sigma * 2.5));
  const kernel = Float32Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = kernel.reduce((sum, value) => sum + value, 0);
  const pass = (source: Float32Array, step: number, lineStep: number): Float32Array => {
    const target = new Float32Array(source.length);
    for (let line = 0; line < size; line++) {
      for (let at = 0; at < size; at++) {
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let k = -radius; k <= radius; k++) {
            const near = at + k < 0 ? 0 : at + k >= size ? size - 1 : at + k;
            sum += kernel[k + radius]! * source[(line * lineStep + near * step) * channels + c]!;
          }
          target[(line * lineStep + at * step) * channels + c] = sum / total;
        }
      }
    }
    return target;
  };
  return planes(size, channels, pass(pass(data, 1, size), size, 1));
}

/** Half the size, each sample the mean of four. */
export function halve({ size, channels, data }: Planes): Planes {
  const half = planes(size / 2, channels);
  for (let y = 0; y < half.size; y++) {
    for (let x = 0; x < half.size; x++) {
      for (let c = 0; c < channels; c++) {
        const i = (2 * y * size + 2 * x) * channels + c;
        const below = i + size * channels;
        half.data[(y * half.size + x) * channels + c] =
          (data[i]! + data[i + channels]! + data[below]! + data[below + channels]!) / 4;
      }
    }
  }
  return half;
}

/** One sample between pixels, whose centres lie at whole numbers; borders are replicated. */
export function sampleAt({ size, channels, data }: Planes, x: number, y: number, channel: number): number {
  const px = Math.min(size - 1, Math.max(0, x));
  const py = Math.min(size - 1, Math.max(0, y));
  const left = Math.min(size - 2, px | 0);
  const top = Math.min(size - 2, py | 0);
  const fx = px - left;
  const fy = py - top;
  const i = (top * size + left) * channels + channel;
  const below = i + size * channels;
  const upper = data[i]! + (data[i + channels]! - data[i]!) * fx;
  const lower = data[below]! + (data[below + channels]! - data[below]!) * fx;
  return upper + (lower - upper) * fy;
}

/** Resizes to `size`, values times `gain`. */
export function resizePlanes(source: Planes, size: number, gain = 1): Planes {
  const target = planes(size, source.channels);
  const scale = source.size / size;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let c = 0; c < source.channels; c++, i++) {
        target.data[i] = gain * sampleAt(source, (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, c);
      }
    }
  }
  return target;
}

function cubic(t: number): readonly [number, number, number, number] {
  const t2 = t * t;
  const t3 = t2 * t;
  return [(-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2];
}

/** Draws a new picture, each pixel taken from `place(x, y)` of the source by Catmull-Rom interpolation. */
export function remap(
  source: { readonly data: ArrayLike<number>; readonly width: number; readonly height: number },
  size: number,
  place: (x: number, y: number) => readonly [number, number],
): Planes {
  const { data, width, height } = source;
  const target = planes(size, 3);
  const clampTo = (value: number, end: number): number => (value < 0 ? 0 : value > end ? end : value);
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i += 3) {
      const [u, v] = place(x, y);
      const left = Math.floor(u);
      const top = Math.floor(v);
      const weightsX = cubic(u - left);
      const weightsY = cubic(v - top);
      for (let row = 0; row < 4; row++) {
        const line = clampTo(top - 1 + row, height - 1) * width;
        for (let column = 0; column < 4; column++) {
          const weight = weightsX[column]! * weightsY[row]!;
          const at = (line + clampTo(left - 1 + column, width - 1)) * 3;
          for (let c = 0; c < 3; c++) target.data[i + c]! += weight * data[at + c]!;
        }
      }
    }
  }
  return target;
}

/** Band-pass pictures, finest first, and the coarse rest as the last one. */
export function laplacianPyramid(picture: Planes, levels: number): Planes[] {
  const bands: Planes[] = [];
  let fine = picture;
  for (let level = 0; level < levels; level++) {
    const coarse = halve(blur(fine, 1));
    const back = resizePlanes(coarse, fine.size);
    bands.push(
      planes(
        fine.size,
        fine.channels,
        fine.data.map((value, i) => value - back.data[i]!),
      ),
    );
    fine = coarse;
  }
  return [...bands, fine];
}

/** The picture whose {@link laplacianPyramid} this is. */
export function fromLaplacianPyramid(bands: readonly Planes[]): Planes {
  return bands.slice(0, -1).reduceRight((coarse, band) => {
    const back = resizePlanes(coarse, band.size);
    return planes(
      band.size,
      band.channels,
      band.data.map((value, i) => value + back.data[i]!),
    );
  }, bands.at(-1)!);
}
