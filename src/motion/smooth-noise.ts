/** Smooth random curves over time: what any frame rate samples, and what no clip's length changes. */
import { RandomStream } from '../tensor/random.ts';

/** Mean square of a uniform cubic B-spline's four weights: what smoothing leaves of the knots' variance. */
const SPLINE_VARIANCE = 0.479;
const KEPT_KNOTS = 64;

/** One of the curves that are added up. */
interface NoiseOctave {
  /** Seconds between its knots; most of its power lies under 0.4 / spacing Hz. */
  readonly spacing: number;
  /** Its share of the variance. */
  readonly variance: number;
}

/** A sum of smooth random curves in several channels, each of mean 0 and of the variance of all octaves. */
export class SmoothNoise {
  readonly #key: readonly number[];
  readonly #octaves: readonly NoiseOctave[];
  readonly #channels: number;
  readonly #knots = new Map<number, Float32Array>();

  /** @param key - names the curves, e.g. `[seed, stream]`. */
  constructor(key: readonly number[], octaves: readonly NoiseOctave[], channels: number) {
    this.#key = key;
    this.#octaves = octaves;
    this.#channels = channels;
  }

  /** Writes the channels' values at a time in seconds to `out`, which it returns. */
  at(time: number, out: Float64Array): Float64Array {
    out.fill(0);
    this.#octaves.forEach(({ spacing, variance }, octave) => {
      const position = time / spacing;
      const index = Math.floor(position);
      const amplitude = Math.sqrt(variance / SPLINE_VARIANCE);
      splineWeights(position - index).forEach((weight, knot) => {
        const values = this.#knot(octave, index + knot);
        for (let i = 0; i < this.#channels; i++) out[i]! += amplitude * weight * values[i]!;
      });
    });
    return out;
  }

  #knot(octave: number, index: number): Float32Array {
    const key = index * this.#octaves.length + octave;
    let values = this.#knots.get(key);
    if (values === undefined) {
      const random = new RandomStream([...this.#key, octave, index]);
      values = random.fillNormal(new Float32Array(this.#channels));
      // Time runs forwards: what lies far behind is not asked for again.
      if (this.#knots.size > KEPT_KNOTS) this.#knots.clear();
      this.#knots.set(key, values);
    }
    return values;
  }
}

/** Weights of the four knots around a point of a uniform cubic B-spline, `t` from 0 to 1. */
function splineWeights(t: number): readonly [number, number, number, number] {
  return [
    (1 - t) ** 3 / 6,
    (3 * t ** 3 - 6 * t ** 2 + 4) / 6,
    (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6,
    t ** 3 / 6,
  ];
}
