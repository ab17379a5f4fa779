/** Writes safetensors one tensor at a time, so that a network needs the memory of its largest tensor. */
import { createHash } from 'node:crypto';
import { ModelError } from '../errors.ts';
import { type FileSink, writeAll } from '../files/write-durably.ts';
import { encodeHalf, type HalfType } from '../tensor/float16.ts';
import { elementCount } from '../tensor/tensor.ts';
import { encodeSafetensorsHeader } from './safetensors-header.ts';

/** A tensor that is read when its turn comes. */
export interface TensorToWrite {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: 'F32' | HalfType;
  /** The file that it is from, for messages. @defaultValue the file that is written */
  readonly from?: string;
  /** Row-major float32 values; called once. */
  read(): Float32Array;
}

/** What a file came to be. */
interface WrittenFile {
  readonly bytes: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

/** Options of {@link writeSafetensors}. */
export interface WriteSafetensorsOptions {
  /** `__metadata__`; left out when empty. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes after each tensor. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** The file that is written, for messages. */
  readonly path: string;
}

/** Largest finite number of each type. */
const LARGEST: Readonly<Record<TensorToWrite['dtype'], number>> = {
  F32: Number.POSITIVE_INFINITY,
  F16: 65504,
  BF16: Number.POSITIVE_INFINITY,
};

/**
 * Writes tensors in the order given to a file that is open and empty. The caller closes it, and removes it if this fails.
 *
 * @throws {@link ModelError} naming the tensor if a value is not finite, or too large for its type.
 */
export async function writeSafetensors(
  file: FileSink,
  tensors: readonly TensorToWrite[],
  { metadata = {}, signal, onBytes, path }: WriteSafetensorsOptions,
): Promise<WrittenFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  const write = async (data: Uint8Array): Promise<void> => {
    hash.update(data);
    await writeAll(file, data);
    bytes += data.length;
    onBytes?.(data.length);
  };
  await write(
    encodeSafetensorsHeader(
      tensors.map(({ name, dims, dtype }) => [name, { dims, dtype }]),
      metadata,
    ),
  );
  for (const tensor of tensors) {
    signal?.throwIfAborted();
    await write(encode(tensor, path));
  }
  return { bytes, sha256: hash.digest('hex') };
}

function encode({ name, dims, dtype, from, read }: TensorToWrite, path: string): Uint8Array {
  const data = read();
  if (data.length !== elementCount(dims)) throw new Error(`${name} has ${data.length} values`);
  const largest = LARGEST[dtype];
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    // False for NaN as well.
    if (Math.abs(value) <= largest && value - value === 0) continue;
    const expected =
      dtype === 'F16' ? `numbers up to ${largest} in half precision` : 'numbers that are finite';
    throw new ModelError(
      `Cannot write ${name}${from === undefined ? '' : ` of ${from}`} to ${path}: expected ${expected}, got ${value}`,
      from ?? path,
    );
  }
  const stored = dtype === 'F32' ? data : encodeHalf(data, dtype);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
