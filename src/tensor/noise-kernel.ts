/**
 * Normal values in WebAssembly with SIMD, three times as fast as in JavaScript and bit for bit the same; made from
 * scripts/assets/noise-kernel. Loaded where it is first used.
 */
import { readFileSync } from 'node:fs';

/** The module's function, described in its source. */
interface NoiseKernel {
  fillPairs(target: number, count: number, state: number): number;
}

interface NoiseMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** As much of the global object as is used here; its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: NoiseKernel & { readonly memory: NoiseMemory } };
};

/** Values of the memory's one page. */
const MOST = 65536 / Float32Array.BYTES_PER_ELEMENT;
/** The kernel draws two pairs at once. */
const STEP = 4;

let loaded: { readonly kernel: NoiseKernel; readonly values: Float32Array } | undefined;

function load(): NonNullable<typeof loaded> {
  const code = readFileSync(new URL('../../assets/kernels/noise.wasm', import.meta.url));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  exports.memory.grow(1);
  return { kernel: exports, values: new Float32Array(exports.memory.buffer) };
}

/**
 * Writes values of N(0, 1) into `out` from `begin` on, as many as it can: fewer than four may be left at the end, and a pair in some
 * 50 000, for which the plain form has to be taken.
 *
 * @param state - of the random stream; each value takes one step of it.
 * @returns how many values were written.
 */
export function fillNormalPairs(out: Float32Array, begin: number, state: number): number {
  loaded ??= load();
  const { kernel, values } = loaded;
  const count = Math.min(MOST, out.length - begin);
  const written = 2 * kernel.fillPairs(0, (count - (count % STEP)) / 2, state);
  out.set(values.subarray(0, written), begin);
  return written;
}
