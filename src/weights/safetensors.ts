/**
 * Safetensors files: weights by name, read from the file one at a time.
 *
 * Source: the format section of the safetensors project's README. Numbers are little-endian, as the machine's.
 */
import { ModelError } from '../errors.ts';
import { encodeHalf, type HalfType } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { DECODERS } from './element-types.ts';
import { RandomAccessFile } from './read-file.ts';
import {
  encodeSafetensorsHeader,
  type HeaderEntry,
  MAX_HEADER_BYTES,
  parseSafetensorsHeader,
  type SafetensorsHeader,
} from './safetensors-header.ts';
import type { WeightFile, WeightInfo } from './weight-source.ts';

/**
 * Opens a file and checks its header; tensors are read when they are asked for.
 *
 * @throws {@link ModelError} if there is no such file, or it is damaged.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const file = new RandomAccessFile(path);
  try {
    return new SafetensorsFile(file);
  } catch (error) {
    file.dispose();
    throw error;
  }
}

/** An open safetensors file; the caller disposes of it. */
class SafetensorsFile implements WeightFile {
  readonly path: string;
  /** `__metadata__` of the header; empty where there is none. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #entries: SafetensorsHeader['entries'];
  readonly #dataStart: number;
  readonly #file: RandomAccessFile;

  /** Use {@link openSafetensors}; `file` becomes this object's to close. */
  constructor(file: RandomAccessFile) {
    const { path, size } = file;
    this.path = path;
    this.#file = file;
    const prefix = new DataView(file.read(0, 8).buffer);
    const headerBytes = Number(prefix.getBigUint64(0, true));
    const most = Math.min(size - 8, MAX_HEADER_BYTES);
    if (headerBytes > most) {
      throw new ModelError(
        `Cannot read ${path}: expected a header of at most ${most} bytes, got ${headerBytes}; this is no safetensors file, or ` +
          'only part of one',
        path,
      );
    }
    const text = new TextDecoder().decode(file.read(8, headerBytes));
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
    return { data: decode(this.#file.read(this.#dataStart + begin, end - begin).buffer), dims };
  }

  /** Closes the file; may be called twice. */
  dispose(): void {
    this.#file.dispose();
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
