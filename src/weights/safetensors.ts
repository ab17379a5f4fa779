/**
 * Safetensors files: weights by name, read from the file one at a time.
 *
 * Source: the format section of the safetensors project's README. Numbers are little-endian, as the machine's.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ModelError } from '../errors.ts';
import { decodeHalf, encodeHalf, type HalfType } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  encodeSafetensorsHeader,
  type HeaderEntry,
  MAX_HEADER_BYTES,
  parseSafetensorsHeader,
  type SafetensorsHeader,
} from './safetensors-header.ts';
import type { WeightInfo, WeightSource } from './weight-source.ts';

/** How elements of each type become float32; types that are missing have no use as weights here. */
const DECODERS: Readonly<Record<string, (buffer: ArrayBuffer) => Float32Array>> = {
  F64: (buffer) => Float32Array.from(new Float64Array(buffer)),
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => decodeHalf(new Uint16Array(buffer), 'F16'),
  BF16: (buffer) => decodeHalf(new Uint16Array(buffer), 'BF16'),
  I64: (buffer) => Float32Array.from(new BigInt64Array(buffer), Number),
  U64: (buffer) => Float32Array.from(new BigUint64Array(buffer), Number),
  I32: (buffer) => Float32Array.from(new Int32Array(buffer)),
  U32: (buffer) => Float32Array.from(new Uint32Array(buffer)),
  I16: (buffer) => Float32Array.from(new Int16Array(buffer)),
  U16: (buffer) => Float32Array.from(new Uint16Array(buffer)),
  I8: (buffer) => Float32Array.from(new Int8Array(buffer)),
  U8: (buffer) => Float32Array.from(new Uint8Array(buffer)),
  BOOL: (buffer) => Float32Array.from(new Uint8Array(buffer)),
};

/**
 * Opens a file and checks its header; tensors are read when they are asked for.
 *
 * @throws {@link ModelError} if there is no such file, or it is damaged.
 */
export function openSafetensors(path: string): SafetensorsFile {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError(`Cannot open ${path}: expected a readable safetensors file, got ${reason}`, path, {
      cause,
    });
  }
  try {
    return new SafetensorsFile(path, descriptor);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** An open safetensors file; whoever opened it disposes of it. */
export class SafetensorsFile implements WeightSource {
  readonly path: string;
  /** `__metadata__` of the header; empty where there is none. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #entries: SafetensorsHeader['entries'];
  readonly #dataStart: number;
  #descriptor: number | undefined;

  /** Use {@link openSafetensors}; `descriptor` is the open file, which becomes this object's to close. */
  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
    const size = fstatSync(descriptor).size;
    const prefix = new DataView(this.#readBytes(0, 8, size));
    const headerBytes = Number(prefix.getBigUint64(0, true));
    if (headerBytes > Math.min(size - 8, MAX_HEADER_BYTES)) {
      const most = Math.min(size - 8, MAX_HEADER_BYTES);
      throw new ModelError(
        `Cannot read ${path}: expected a header of at most ${most} bytes, got ${headerBytes}; this is no safetensors file, or ` +
          'only part of one',
        path,
      );
    }
    const text = new TextDecoder().decode(this.#readBytes(8, headerBytes, size));
    const header = parseSafetensorsHeader(path, text, size - 8 - headerBytes);
    this.metadata = header.metadata;
    this.#entries = header.entries;
    this.#dataStart = 8 + headerBytes;
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  info(key: string): WeightInfo {
    const { dims, dtype } = this.#entry(key);
    return { dims, dtype };
  }

  read(key: string): Tensor {
    const { dims, dtype, begin, end } = this.#entry(key);
    const decode = DECODERS[dtype];
    if (decode === undefined) {
      const known = Object.keys(DECODERS).join(', ');
      throw new ModelError(
        `Cannot read weight ${key} of ${this.path}: expected one of ${known}, got ${dtype}`,
        this.path,
      );
    }
    const size = end - begin;
    return { data: decode(this.#readBytes(this.#dataStart + begin, size, Number.POSITIVE_INFINITY)), dims };
  }

  /** Closes the file; may be called twice. */
  dispose(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #entry(key: string): HeaderEntry {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      throw new ModelError(
        `Cannot read weight ${key} of ${this.path}: expected it there, got none`,
        this.path,
      );
    }
    return entry;
  }

  #readBytes(position: number, length: number, fileSize: number): ArrayBuffer {
    if (this.#descriptor === undefined) throw new Error(`${this.path} is read after dispose()`);
    const bytes = new Uint8Array(position + length > fileSize ? 0 : length);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(this.#descriptor, bytes, filled, bytes.length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    if (filled < length) {
      const end = position + length;
      throw new ModelError(`Cannot read ${this.path}: expected at least ${end} bytes, got fewer`, this.path);
    }
    return bytes.buffer;
  }
}

/**
 * The bytes of a safetensors file.
 *
 * @param tensors - by name, in the order in which they are to lie in the file.
 * @param metadata - `__metadata__`; left out when empty.
 * @param dtype - what all elements are stored as. @defaultValue 'F32'
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
  dtype: 'F32' | HalfType = 'F32',
): Uint8Array {
  const list = [...tensors];
  const header = encodeSafetensorsHeader(
    list.map(([name, { dims }]) => [name, { dims, dtype }]),
    metadata,
  );
  const parts = list.map(([, { data }]) => (dtype === 'F32' ? data : encodeHalf(data, dtype)));
  const file = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, header.length));
  file.set(header);
  let offset = header.length;
  for (const part of parts) {
    file.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), offset);
    offset += part.byteLength;
  }
  return file;
}
