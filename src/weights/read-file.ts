/** A file that is read at random places, synchronously: graphs are built in a thread that waits for weights anyway. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { describeFileProblem, ModelError } from '../errors.ts';

/** Bytes of one read: larger ones gain nothing. */
const READ_BYTES = 1 << 24;

/** An open file; the caller disposes of it. */
export class RandomAccessFile {
  readonly path: string;
  readonly size: number;
  #descriptor: number | undefined;

  /** @throws {@link ModelError} if there is no such file, or it cannot be read. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'r');
      const stats = fstatSync(this.#descriptor);
      if (!stats.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' });
      this.size = stats.size;
    } catch (cause) {
      this.dispose();
      throw new ModelError(
        `Cannot open ${path}: expected a readable file of weights, got ${describeFileProblem(cause)}`,
        path,
        { cause },
      );
    }
  }

  /**
   * Fills `target` with the bytes from `position` on.
   *
   * @throws {@link ModelError} if the file ends before.
   */
  readInto(target: Uint8Array, position: number): void {
    if (this.#descriptor === undefined) throw new Error(`${this.path} is read after dispose()`);
    let filled = 0;
    while (filled < target.length && position + filled < this.size) {
      const length = Math.min(target.length - filled, READ_BYTES);
      const count = readSync(this.#descriptor, target, filled, length, position + filled);
      if (count === 0) break;
      filled += count;
    }
    if (filled < target.length) {
      throw new ModelError(
        `Cannot read ${this.path}: expected at least ${position + target.length} bytes, got ${position + filled}; the file was cut, ` +
          'fetch it again',
        this.path,
      );
    }
  }

  /** `length` bytes from `position` on; nothing is allocated for more than the file has. */
  read(position: number, length: number): Uint8Array<ArrayBuffer> {
    const within = position >= 0 && length <= this.size - position;
    const bytes = new Uint8Array(within ? length : 0);
    if (!within) {
      throw new ModelError(
        `Cannot read ${this.path}: expected at least ${position + length} bytes, got ${this.size}; the file was cut, fetch it again`,
        this.path,
      );
    }
    this.readInto(bytes, position);
    return bytes;
  }

  /** Closes the file; may be called twice. */
  dispose(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
