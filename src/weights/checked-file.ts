/** Files of many tensors with checksums by chunk, so that damage is found without reading all of a large file. */
import { closeSync, fsyncSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** Tensors begin at multiples of this, so that they can be mapped on every system. */
const ALIGNMENT = 4096;
const CHUNK_BYTES = 4 * 2 ** 20;
/** Files up to this size are checked whole when they are opened; of larger ones, some chunks. */
const WHOLE_CHECK_BYTES = 64 * 2 ** 20;
const CHECKED_CHUNKS = 16;

/** What a file holds, for {@link isWhole}. */
export interface CheckedFile {
  readonly bytes: number;
  /** CRC-32 of each chunk of 4 MiB. */
  readonly checks: readonly number[];
}

/** Appends tensors to a new file and keeps account of their checks. */
export class CheckedFileWriter {
  readonly #path: string;
  #descriptor: number | undefined;
  readonly #checks: number[] = [];
  #bytes = 0;
  #check = 0;

  /** @param file - must not exist. */
  constructor(file: string) {
    this.#path = file;
    this.#descriptor = openSync(file, 'wx');
  }

  /** Returns where the bytes begin. */
  append(data: Uint8Array): number {
    const padding = (ALIGNMENT - (this.#bytes % ALIGNMENT)) % ALIGNMENT;
    if (padding > 0) this.#put(new Uint8Array(padding));
    const offset = this.#bytes;
    this.#put(data);
    return offset;
  }

  #put(data: Uint8Array): void {
    for (let done = 0; done < data.length; ) {
      const room = CHUNK_BYTES - (this.#bytes % CHUNK_BYTES);
      const part = data.subarray(done, done + room);
      const count = writeSync(this.#descriptor!, part);
      this.#check = crc32(part.subarray(0, count), this.#check);
      this.#bytes += count;
      done += count;
      if (this.#bytes % CHUNK_BYTES === 0) this.#endChunk();
    }
  }

  #endChunk(): void {
    this.#checks.push(this.#check);
    this.#check = 0;
  }

  /** Ends the file; it has reached the disk. */
  finish(): CheckedFile {
    if (this.#bytes % CHUNK_BYTES !== 0) this.#endChunk();
    fsyncSync(this.#descriptor!);
    this.#close();
    return { bytes: this.#bytes, checks: this.#checks };
  }

  /** Removes the file. */
  abandon(): void {
    this.#close();
    rmSync(this.#path, { force: true });
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** Compares a file's size and, where it is large, some of its chunks with what was written. */
export function isWhole(file: string, { bytes, checks }: CheckedFile): boolean {
  if (statSync(file).size !== bytes) return false;
  const descriptor = openSync(file, 'r');
  try {
    const chunk = new Uint8Array(CHUNK_BYTES);
    return chosenChunks(bytes, checks.length).every((index) => {
      const count = readSync(descriptor, chunk, 0, CHUNK_BYTES, index * CHUNK_BYTES);
      return crc32(chunk.subarray(0, count)) === checks[index];
    });
  } finally {
    closeSync(descriptor);
  }
}

/** What {@link isWhole} and {@link readsWhole} ask for of a file that holds these bytes. */
export function checksOf(data: Uint8Array): CheckedFile {
  const count = Math.ceil(data.length / CHUNK_BYTES);
  const chunk = (index: number) => data.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
  return { bytes: data.length, checks: Array.from({ length: count }, (_, index) => crc32(chunk(index))) };
}

/** Compares all of a file with what was written; others get their turn after each chunk. */
export async function readsWhole(file: string, { bytes, checks }: CheckedFile): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    if ((await handle.stat()).size !== bytes) return false;
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytes));
    for (const [index, check] of checks.entries()) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, index * CHUNK_BYTES);
      if (crc32(chunk.subarray(0, bytesRead)) !== check) return false;
    }
    return true;
  } finally {
    await handle.close();
  }
}

/** All chunks of a small file; of a large one the first, the last, and some between that differ from time to time. */
function chosenChunks(bytes: number, count: number): number[] {
  if (bytes <= WHOLE_CHECK_BYTES) return Array.from({ length: count }, (_, i) => i);
  const turn = Math.random();
  const between = Array.from({ length: CHECKED_CHUNKS - 2 }, (_, i) =>
    Math.floor(((i + turn) / (CHECKED_CHUNKS - 2)) * count),
  );
  return [0, count - 1, ...between];
}
