/** Element types of stored tensors: their size, and how they become float32. Numbers are little-endian, as the machine's. */

import { decodeFloat8 } from '../tensor/float8.ts';
import { decodeHalf } from '../tensor/float16.ts';

/** How elements of each type become float32; types that are missing have no use as weights here. */
export const DECODERS: Readonly<Record<string, (buffer: ArrayBuffer) => Float32Array>> = {
  F64: (buffer) => Float32Array.from(new Float64Array(buffer)),
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => decodeHalf(new Uint16Array(buffer), 'F16'),
  BF16: (buffer) => decodeHalf(new Uint16Array(buffer), 'BF16'),
  F8_E4M3: (buffer) => decodeFloat8(new Uint8Array(buffer), 'F8_E4M3'),
  F8_E5M2: (buffer) => decodeFloat8(new Uint8Array(buffer), 'F8_E5M2'),
  I64: (buffer) => Float32Array.from(new BigInt64Array(buffer), Number),
  U64: (buffer) => Float32Array.from(new BigUint64Array(buffer), Number),
  I32: (buffer) => Float32Array.from(new Int32Array(buffer)),
  U32: (buffer) => Float32Array.from(new Uint32Array(buffer)),
  I16: (buffer) => Float32Array.from(new Int16Array(buffer)),
  U16: (buffer) => Float32Array.from(new Uint16Array(buffer)),
  I8: (buffer) => Float32Array.from(new Int8Array(buffer)),
  U8: (buffer) => Float32Array.from(new Uint8Array(buffer)),
  BOOL: (buffer) => Float32Array.from(new Uint8Array(buffer), (value) => (value === 0 ? 0 : 1)),
};

/** Bytes of one element of each type that the format knows. */
export const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};
