/** A place in a pickle's bytes, and the numbers and texts that are read from there. */
import { ModelError } from '../errors.ts';

/** Bytes of the longest integer. */
const MAX_INTEGER_BYTES = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });
const latin1 = new TextDecoder('latin1');

/** Each reading moves the cursor on, and throws a {@link ModelError} where the bytes end or are no such thing. */
export class PickleCursor {
  /** Of the next byte. */
  offset: number;
  /** The file, for messages. */
  readonly path: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, path: string, offset: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.path = path;
    this.offset = offset;
  }

  /** The next bytes; a view. */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.offset) throw this.damaged(`${length} bytes more`, 'its end');
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  /** What `get` reads from the next `size` bytes. */
  number(size: number, get: (view: DataView, at: number) => number): number {
    this.take(size);
    return get(this.#view, this.offset - size);
  }

  /** An unsigned integer, least byte first. */
  length(size: 4 | 8): number {
    return this.number(size, (view, at) =>
      size === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true)),
    );
  }

  /** A two's complement integer of any length. */
  integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES)
      throw this.damaged(`integers of at most ${MAX_INTEGER_BYTES} bytes`, length);
    let value = 0n;
    this.take(length).forEach((byte, i) => {
      value |= BigInt(byte) << BigInt(8 * i);
    });
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /** A number in a line of text; 00 and 01 are Booleans where an INT has them. */
  decimal(booleans: boolean): number | boolean {
    const line = this.line();
    if (booleans && /^0[01]$/.test(line)) return line === '01';
    const value = line.trim() === '' ? Number.NaN : Number(line.replace(/L$/, ''));
    if (Number.isNaN(value)) throw this.damaged('a number', JSON.stringify(line.slice(0, 20)));
    return value;
  }

  /** Latin-1 text to the end of the line, which is passed. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.offset);
    if (end < 0) throw this.damaged('the end of a line', 'its end');
    const line = latin1.decode(this.take(end - this.offset));
    this.offset++;
    return line;
  }

  /** UTF-8 text of so many bytes. */
  text(length: number): string {
    try {
      return utf8.decode(this.take(length));
    } catch (cause) {
      if (cause instanceof ModelError) throw cause;
      throw this.damaged('UTF-8 text', 'other bytes', cause);
    }
  }

  /** The error of a pickle that ends, or goes on otherwise than expected, at the cursor. */
  damaged(expected: string, got: unknown, cause?: unknown): ModelError {
    return new ModelError(
      `Cannot read ${this.path}: expected ${expected} in the pickle, got ${got} at byte ${this.offset}; this is no state ` +
        'dict, or a damaged one',
      this.path,
      cause === undefined ? undefined : { cause },
    );
  }
}
