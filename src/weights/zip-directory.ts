/**
 * Where the entries of a zip archive lie, for archives whose entries are stored as they are, as `torch.save` writes them.
 * Nothing is ever inflated, so no archive can grow in memory beyond its size on disk.
 *
 * Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3 (zip64).
 */
import { crc32 } from 'node:zlib';
import { ModelError } from '../errors.ts';
import type { RandomAccessFile } from './read-file.ts';

/** An entry. */
export interface ZipEntry {
  readonly name: string;
  /** Of the contents. */
  readonly bytes: number;
  /** Whether the contents are stored as they are: neither compressed nor encrypted. */
  readonly plain: boolean;
  /** Of the contents; 0 where the writer left it out. */
  readonly crc32: number;
  /** Place of the local header, which is in front of the contents. */
  readonly headerOffset: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const END64_LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX_COMMENT_BYTES = 0xffff;
/** A directory of a million entries; the largest networks have some thousands. */
const MAX_DIRECTORY_BYTES = 100_000_000;
/** What a 32-bit field holds when the number is in the zip64 record. */
const IN_ZIP64 = 0xffffffff;
/** Bytes that are checked at a time. */
const CHUNK_BYTES = 1 << 22;

/**
 * Reads the directory at the end of an archive.
 *
 * @throws {@link ModelError} if there is none, or if an entry lies outside the file.
 */
export function readZipDirectory(file: RandomAccessFile): Map<string, ZipEntry> {
  const { start, bytes, entries: count } = findDirectory(file);
  if (bytes > MAX_DIRECTORY_BYTES || bytes > file.size - start) {
    throw damaged(
      file,
      `a directory of at most ${Math.min(MAX_DIRECTORY_BYTES, file.size - start)} bytes`,
      bytes,
    );
  }
  const directory = view(file.read(start, bytes));
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes || directory.getUint32(at, true) !== CENTRAL) {
      throw damaged(file, `${count} entries in its directory`, i);
    }
    const nameBytes = directory.getUint16(at + 28, true);
    const extraBytes = directory.getUint16(at + 30, true);
    const next = at + 46 + nameBytes + extraBytes + directory.getUint16(at + 32, true);
    if (next > bytes) throw damaged(file, `entry ${i} inside the directory`, 'its end');
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameBytes));
    if (entries.has(name)) throw damaged(file, 'every entry once', `${name} twice`);
    entries.set(name, readEntry(file, name, directory, at, at + 46 + nameBytes, extraBytes));
    at = next;
  }
  return entries;
}

function readEntry(
  file: RandomAccessFile,
  name: string,
  directory: DataView,
  at: number,
  extraAt: number,
  extraBytes: number,
): ZipEntry {
  const flags = directory.getUint16(at + 8, true);
  const method = directory.getUint16(at + 10, true);
  const fields = {
    bytes: directory.getUint32(at + 24, true),
    stored: directory.getUint32(at + 20, true),
    headerOffset: directory.getUint32(at + 42, true),
  };
  // The zip64 record has those numbers, in this order, that did not fit.
  for (let extra = extraAt; extra + 4 <= extraAt + extraBytes; ) {
    const size = directory.getUint16(extra + 2, true);
    if (directory.getUint16(extra, true) === 1) {
      let from = extra + 4;
      const end = Math.min(from + size, extraAt + extraBytes);
      for (const field of ['bytes', 'stored', 'headerOffset'] as const) {
        if (fields[field] !== IN_ZIP64 || from + 8 > end) continue;
        fields[field] = Number(directory.getBigUint64(from, true));
        from += 8;
      }
    }
    extra += 4 + size;
  }
  const { bytes, stored, headerOffset } = fields;
  if (headerOffset + 30 + stored > file.size) {
    throw damaged(
      file,
      `${name} inside the file of ${file.size} bytes`,
      `its end at ${headerOffset + 30 + stored}`,
    );
  }
  const plain = method === 0 && (flags & 1) === 0 && bytes === stored;
  return { name, bytes, plain, crc32: directory.getUint32(at + 16, true), headerOffset };
}

function findDirectory(file: RandomAccessFile): { start: number; bytes: number; entries: number } {
  const tailBytes = Math.min(file.size, END_BYTES + MAX_COMMENT_BYTES);
  const tail = view(file.read(file.size - tailBytes, tailBytes));
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END) continue;
    if (at + END_BYTES + tail.getUint16(at + 20, true) !== tailBytes) continue;
    const found = {
      start: tail.getUint32(at + 16, true),
      bytes: tail.getUint32(at + 12, true),
      entries: tail.getUint16(at + 10, true),
    };
    if (at >= 20 && tail.getUint32(at - 20, true) === END64_LOCATOR) {
      const record = Number(tail.getBigUint64(at - 12, true));
      const end64 = view(file.read(record, 56));
      if (end64.getUint32(0, true) !== END64) throw damaged(file, 'a zip64 record', 'something else');
      found.entries = Number(end64.getBigUint64(32, true));
      found.bytes = Number(end64.getBigUint64(40, true));
      found.start = Number(end64.getBigUint64(48, true));
    }
    if (found.start > file.size) throw damaged(file, 'its directory inside the file', found.start);
    return found;
  }
  throw damaged(file, 'the directory of a zip archive at its end', 'none');
}

/** @throws {@link ModelError} naming the entry if it is compressed or encrypted. */
export function assertPlain(file: RandomAccessFile, entry: ZipEntry): void {
  if (entry.plain) return;
  throw damaged(
    file,
    'stored entries, as torch.save writes them',
    `a compressed or encrypted one, ${entry.name}`,
  );
}

/**
 * Place of an entry's contents.
 *
 * @throws {@link ModelError} if the entry is not plain, or if its own header is not where the directory says, or tells of another entry.
 */
export function contentsOffset(file: RandomAccessFile, entry: ZipEntry): number {
  assertPlain(file, entry);
  const header = view(file.read(entry.headerOffset, 30));
  if (header.getUint32(0, true) !== LOCAL) throw damaged(file, `a header in front of ${entry.name}`, 'none');
  const nameBytes = header.getUint16(26, true);
  const name = new TextDecoder().decode(file.read(entry.headerOffset + 30, nameBytes));
  if (name !== entry.name) throw damaged(file, `a header in front of ${entry.name}`, `that of ${name}`);
  const offset = entry.headerOffset + 30 + nameBytes + header.getUint16(28, true);
  if (offset + entry.bytes > file.size) throw damaged(file, `${entry.name} inside the file`, 'its end');
  return offset;
}

/**
 * Reads an entry and compares its checksum.
 *
 * @throws {@link ModelError} naming the entry if it was changed.
 */
export function readEntryContents(file: RandomAccessFile, entry: ZipEntry): Uint8Array<ArrayBuffer> {
  const contents = file.read(contentsOffset(file, entry), entry.bytes);
  assertChecksum(file, entry, crc32(contents));
  return contents;
}

/** Compares an entry's checksum without keeping its contents. */
export function verifyEntry(file: RandomAccessFile, entry: ZipEntry): void {
  const start = contentsOffset(file, entry);
  const chunk = new Uint8Array(Math.min(entry.bytes, CHUNK_BYTES));
  let sum = 0;
  for (let done = 0; done < entry.bytes; done += CHUNK_BYTES) {
    const piece = chunk.subarray(0, Math.min(CHUNK_BYTES, entry.bytes - done));
    file.readInto(piece, start + done);
    sum = crc32(piece, sum);
  }
  assertChecksum(file, entry, sum);
}

function assertChecksum(file: RandomAccessFile, entry: ZipEntry, sum: number): void {
  if (entry.crc32 !== 0 && sum !== entry.crc32) {
    const hex = (value: number): string => value.toString(16).padStart(8, '0');
    throw damaged(file, `checksum ${hex(entry.crc32)} of ${entry.name}`, hex(sum));
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(file: RandomAccessFile, expected: string, got: unknown): ModelError {
  return new ModelError(
    `Cannot read ${file.path}: expected ${expected}, got ${got}; the file is damaged or no checkpoint, fetch it again`,
    file.path,
  );
}
