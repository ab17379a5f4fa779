/** Arrays of numpy's .npz files: little-endian floats, integers and text. */
import { readFile } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';

const END = 0x06054b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const DEFLATED = 8;

/** An array in row-major order. */
export interface NpzArray {
  readonly shape: readonly number[];
  readonly values: readonly number[] | readonly string[];
}

/**
 * Reads all arrays of an .npz file.
 *
 * @throws Error if the file is no zip archive, or an array is of another type.
 */
export async function readNpz(file: string): Promise<Map<string, NpzArray>> {
  const bytes = await readFile(file);
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0 || end + END_BYTES > bytes.length || bytes.readUInt32LE(end) !== END) {
    throw new Error(`Cannot read ${file}: expected an .npz file`);
  }
  const arrays = new Map<string, NpzArray>();
  let at = bytes.readUInt32LE(end + 16);
  for (let entry = 0; entry < bytes.readUInt16LE(end + 10); entry++) {
    const [method, packed] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)];
    const [nameBytes, extraBytes] = [bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30)];
    const name = bytes.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes);
    const local = bytes.readUInt32LE(at + 42);
    const start = local + LOCAL_BYTES + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const contents = bytes.subarray(start, start + packed);
    const array = method === DEFLATED ? inflateRawSync(contents) : contents;
    arrays.set(name.replace(/\.npy$/, ''), parseNpy(array, `${name} of ${file}`));
    at += CENTRAL_BYTES + nameBytes + extraBytes + bytes.readUInt16LE(at + 32);
  }
  return arrays;
}

/** Source: numpy's NEP 1, versions 1 to 3. */
function parseNpy(bytes: Buffer, name: string): NpzArray {
  const long = bytes[6]! > 1;
  const start = long ? 12 : 10;
  const size = long ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', start, start + size);
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (type === undefined || shape === undefined || /'fortran_order': True/.test(header)) {
    throw new Error(`Cannot read ${name}: expected a plain array, got ${header.trim()}`);
  }
  const dims = shape
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const count = dims.reduce((product, dim) => product * dim, 1);
  return { shape: dims, values: readValues(bytes.subarray(start + size), type, count, name) };
}

function readValues(data: Buffer, type: string, count: number, name: string): number[] | string[] {
  const each = <T>(read: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => read(i));
  if (type === '<f4') return each((i) => data.readFloatLE(4 * i));
  if (type === '<f8') return each((i) => data.readDoubleLE(8 * i));
  if (type === '<i4') return each((i) => data.readInt32LE(4 * i));
  if (type === '<i8') return each((i) => Number(data.readBigInt64LE(8 * i)));
  const letters = /^<U(\d+)$/.exec(type)?.[1];
  if (letters === undefined) {
    throw new Error(`Cannot read ${name}: expected floats, integers or text, got type ${type}`);
  }
  const width = Number(letters);
  return each((i) => {
    const codes = Array.from({ length: width }, (_, k) => data.readUInt32LE(4 * (i * width + k)));
    return String.fromCodePoint(...codes.filter((code) => code !== 0));
  });
}
