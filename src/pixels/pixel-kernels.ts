/**
 * Loops over pixels in WebAssembly with SIMD, three to five times as fast as in JavaScript; made from
 * scripts/assets/pixel-kernels, where arguments are described. Places are byte offsets in a memory that all users on a thread
 * share: each user lays it out again with {@link PixelKernels.layOut}, and finds nothing of what was there before but what
 * {@link PixelKernels.keep} keeps.
 */
import { readFileSync } from 'node:fs';

/** The module's functions. */
interface KernelFunctions {
  sampleRun(
    target: number,
    count: number,
    source: number,
    width: number,
    height: number,
    u: number,
    v: number,
    uStep: number,
    vStep: number,
  ): void;
  splineOf(target: number, source: number, width: number, height: number, scratch: number): void;
  splineRun(
    target: number,
    count: number,
    source: number,
    width: number,
    height: number,
    u: number,
    v: number,
    uStep: number,
    vStep: number,
    weights: number,
  ): void;
  drawTriangles(
    target: number,
    width: number,
    height: number,
    reliability: number,
    triangles: number,
    triangleCount: number,
    from: number,
    to: number,
    areaScale: number,
    source: number,
    sourceWidth: number,
    sourceHeight: number,
    weights: number,
  ): void;
  mixRows(target: number, upper: number, lower: number, fraction: number, plane: number, count: number): void;
  enlargeRow(target: number, count: number, row: number, low: number, high: number, fractions: number): void;
  mixStrengths(
    target: number,
    count: number,
    upper: number,
    lower: number,
    fraction: number,
    factors: number,
    scale: number,
  ): void;
  addRow(
    target: number,
    count: number,
    row: number,
    low: number,
    high: number,
    fractions: number,
    strengths: number,
  ): void;
  toYuv420(
    upper: number,
    lower: number,
    count: number,
    lumaUpper: number,
    lumaLower: number,
    cb: number,
    cr: number,
  ): void;
  toPlanes(planes: number, source: number, count: number): void;
  toPlane(plane: number, source: number, count: number): void;
  resizeRow(
    target: number,
    from: number,
    to: number,
    top: number,
    bottom: number,
    below: number,
    left: number,
    right: number,
    shares: number,
  ): void;
  meanRow(target: number, count: number, source: number, stride: number, factor: number): void;
  sampleSquare(
    target: number,
    size: number,
    source: number,
    stride: number,
    x: number,
    y: number,
    cos: number,
    sin: number,
    scale: number,
    offset: number,
  ): void;
  rowToRgb(
    target: number,
    luma: number,
    cb: number,
    cr: number,
    count: number,
    redCr: number,
    greenCb: number,
    greenCr: number,
    blueCb: number,
  ): void;
}

/** As much of the global object as is used here; its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: KernelFunctions & { readonly memory: KernelMemory } };
};

interface KernelMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** A picture in the kernels' memory, three bytes a pixel: until others lay it out. */
export interface PlacedPicture {
  readonly place: number;
  readonly width: number;
  readonly height: number;
}

const PAGE = 65536;
/** Vectors are read faster where they begin at a multiple of their size. */
const ALIGNMENT = 16;

/** Blocks that are kept at once: what a portrait's two warps read, and its matte's. */
const MOST_KEPT = 3;
/** Both warps of a portrait of 1920 × 1920. */
const MOST_KEPT_BYTES = 32e6;

function aligned(place: number): number {
  return Math.ceil(place / ALIGNMENT) * ALIGNMENT;
}

let keys = 0;

/** A name for the contents of a block that is kept. */
export function newKey(): number {
  return keys++;
}

/** The kernels with their memory. */
export class PixelKernels {
  readonly run: KernelFunctions;
  readonly #memory: KernelMemory;
  /** Places of what is kept, at the memory's beginning. */
  readonly #kept = new Map<number, number>();
  #keptEnd = 0;

  constructor() {
    const code = readFileSync(new URL('../../assets/kernels/pixels.wasm', import.meta.url));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
    this.run = exports;
    this.#memory = exports.memory;
  }

  /**
   * The place of a block that is filled once and read often. Few are kept, and all are forgotten when there is no room for another; what was
   * laid out before is lost.
   *
   * @param key - names the block's contents, of {@link newKey}.
   * @param fill - called with the place where it is to be written, unless it is there.
   */
  keep(key: number, size: number, fill: (place: number) => void): number {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    if (this.#kept.size >= MOST_KEPT || this.#keptEnd + size > MOST_KEPT_BYTES) {
      this.#kept.clear();
      this.#keptEnd = 0;
    }
    const place = this.#keptEnd;
    this.#keptEnd = aligned(place + size);
    this.#reach(this.#keptEnd);
    fill(place);
    this.#kept.set(key, place);
    return place;
  }

  #reach(end: number): void {
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
  }

  /**
   * Places for blocks of so many bytes, one after another.
   *
   * @returns where each begins; valid, as views of them are, until the next call.
   */
  layOut<const Sizes extends readonly number[]>(sizes: Sizes): { readonly [K in keyof Sizes]: number } {
    return this.layOutBehind(this.#keptEnd, sizes);
  }

  /** The same behind `end`, so that what lies before it stays; but views of it are to be made again. */
  layOutBehind<const Sizes extends readonly number[]>(
    end: number,
    sizes: Sizes,
  ): { readonly [K in keyof Sizes]: number } {
    end = aligned(end);
    const places = sizes.map((size) => {
      const begin = end;
      end = aligned(begin + size);
      return begin;
    });
    this.#reach(end);
    return places as { readonly [K in keyof Sizes]: number };
  }

  bytes(place: number, count: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, place, count);
  }

  words(place: number, count: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, place, count);
  }

  shorts(place: number, count: number): Int16Array {
    return new Int16Array(this.#memory.buffer, place, count);
  }

  doubles(place: number, count: number): Float64Array {
    return new Float64Array(this.#memory.buffer, place, count);
  }

  integers(place: number, count: number): Int32Array {
    return new Int32Array(this.#memory.buffer, place, count);
  }

  floats(place: number, count: number): Float32Array {
    return new Float32Array(this.#memory.buffer, place, count);
  }
}

let shared: PixelKernels | undefined;

/** The kernels of this thread. */
export function pixelKernels(): PixelKernels {
  shared ??= new PixelKernels();
  return shared;
}
