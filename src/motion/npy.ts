/**
 * Arrays as NumPy keeps them in `.npy` files: the little that is needed for tables of numbers.
 *
 * Source: NumPy, `numpy.lib.format` (versions 1.0 to 3.0).
 */
import { MediaError } from '../errors.ts';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** The header's end is at a multiple of this. */
const ALIGNMENT = 64;

/** An array of numbers, row-major. */
interface NpyArray {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

/** The bytes of a `.npy` file of float64. */
export function encodeNpy({ data, shape }: NpyArray): Uint8Array {
  const dims = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<f8', 'fortran_order': False, 'shape': ${dims}, }`;
  const prefix = MAGIC.length + 4;
  const padding = ALIGNMENT - ((prefix + text.length + 1) % ALIGNMENT);
  const header = `${text}${' '.repeat(padding % ALIGNMENT)}\n`;
  const bytes = Buffer.alloc(prefix + header.length + data.length * 8);
  MAGIC.copy(bytes);
  bytes.writeUInt8(1, MAGIC.length);
  bytes.writeUInt16LE(header.length, MAGIC.length + 2);
  bytes.write(header, prefix, 'latin1');
  data.forEach((value, i) => {
    bytes.writeDoubleLE(value, prefix + header.length + i * 8);
  });
  return bytes;
}

/**
 * Reads a `.npy` file of float32 or float64.
 *
 * @param path - for messages.
 * @throws {@link MediaError} if it is of another kind, cut, of numbers of another type, or holds one that is not finite.
 */
export function decodeNpy(content: Uint8Array, path: string): NpyArray {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const refuse = (expected: string, got: string): MediaError =>
    new MediaError(`Cannot read ${path}: expected ${expected}, got ${got}`, path);
  if (bytes.length < 12 || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw refuse('a NumPy file (.npy)', 'a file of another kind');
  }
  const long = bytes[MAGIC.length]! > 1;
  const prefix = MAGIC.length + (long ? 6 : 4);
  const start = prefix + (long ? bytes.readUInt32LE(prefix - 4) : bytes.readUInt16LE(prefix - 2));
  const header = bytes.subarray(prefix, start).toString('latin1');
  const type = /'descr': *'([^']*)'/.exec(header)?.[1] ?? 'numbers of no type';
  const shapeText = /'shape': *\(([^)]*)\)/.exec(header)?.[1];
  if (type !== '<f8' && type !== '<f4') throw refuse('numbers of type <f4 or <f8', type);
  if (shapeText === undefined || /'fortran_order': *True/.test(header)) {
    throw refuse('rows one after another', 'another order');
  }
  const shape = shapeText
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number);
  const width = type === '<f8' ? 8 : 4;
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count) || bytes.length < start + count * width) {
    throw refuse(`${count} numbers`, 'a file whose end is missing');
  }
  const data = Float64Array.from({ length: count }, (_, i) => {
    const at = start + i * width;
    return width === 8 ? bytes.readDoubleLE(at) : bytes.readFloatLE(at);
  });
  if (!data.every(Number.isFinite)) throw refuse('finite numbers', 'NaN or infinity');
  return { data, shape };
}
