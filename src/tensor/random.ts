/**
 * Seeded random numbers that depend on what they are for, not on when they are drawn: every stream is named by
 * integers (seed, purpose, step, frame), so a clip's noise is the same however it is cut into windows or resumed.
 *
 * Source: the mixing function is splitmix32 (murmur3's finaliser with the constants of Chris Wellons' hash prospector);
 * normal values by the Box–Muller transform in double precision.
 */
import { fillNormalPairs } from './noise-kernel.ts';

const GOLDEN_GAMMA = 0x9e3779b9;
/** Values from which on the kernel is worth its call. */
const MANY = 256;

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A deterministic stream of random numbers, named by `key`; equal keys give equal streams. */
export class RandomStream {
  #state: number;

  /** @param key - any integers, e.g. `[seed, stream, step, frame]`; larger than 32 bits are folded. */
  constructor(key: readonly number[]) {
    let state = 0x243f6a88;
    for (const part of key) {
      const high = Math.floor(part / 0x100000000) | 0;
      state = mix(state ^ mix((part | 0) + GOLDEN_GAMMA));
      if (high !== 0) state = mix(state ^ mix(high ^ 0x5bd1e995));
      state = (state + GOLDEN_GAMMA) | 0;
    }
    this.#state = state;
  }

  /** Uniform in [0, 1), with 32 random bits. */
  uniform(): number {
    this.#state = (this.#state + GOLDEN_GAMMA) | 0;
    return mix(this.#state) / 0x100000000;
  }

  /** Writes values of N(0, 1) into `out` and returns it. */
  fillNormal(out: Float32Array): Float32Array {
    for (let i = 0; i < out.length; i += 2) {
      if (out.length - i >= MANY) {
        const written = fillNormalPairs(out, i, this.#state);
        this.#state = (this.#state + Math.imul(written, GOLDEN_GAMMA)) | 0;
        i += written;
        if (i >= out.length) break;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      out[i] = radius * Math.cos(angle);
      if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle);
    }
    return out;
  }

  /** One value of N(0, 1). */
  normal(): number {
    return this.fillNormal(new Float32Array(1))[0]!;
  }
}
