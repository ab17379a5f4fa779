import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ModelError } from '../../src/errors.ts';
import { RandomAccessFile } from '../../src/weights/read-file.ts';
import { readEntryContents, readZipDirectory, verifyEntry } from '../../src/weights/zip-directory.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
const CONTENTS = Buffer.from('some weights');

/** An archive of one entry, field by field; with `zip64`, all numbers are in the records of large archives. */
function archive({ zip64 = false, headerOffset = 0, bytes = CONTENTS.length, count = 1, comment = '' } = {}) {
  const name = Buffer.from('a/data/0');
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const extra = Buffer.alloc(zip64 ? 28 : 0);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt32LE(crc32(CONTENTS), 16);
  central.writeUInt16LE(name.length, 28);
  central.writeUInt16LE(extra.length, 30);
  for (const at of [20, 24]) central.writeUInt32LE(zip64 ? 0xffffffff : bytes, at);
  central.writeUInt32LE(zip64 ? 0xffffffff : headerOffset, 42);
  if (zip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(BigInt(bytes), 4);
    extra.writeBigUInt64LE(BigInt(bytes), 12);
    extra.writeBigUInt64LE(BigInt(headerOffset), 20);
  }
  const before = Buffer.concat([local, name, CONTENTS]);
  const directory = Buffer.concat([central, name, extra]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : count, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : directory.length, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : before.length, 16);
  end.writeUInt16LE(comment.length, 20);
  const parts = [before, directory];
  if (zip64) {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(BigInt(count), 32);
    record.writeBigUInt64LE(BigInt(directory.length), 40);
    record.writeBigUInt64LE(BigInt(before.length), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(before.length + directory.length), 8);
    parts.push(record, locator);
  }
  return Buffer.concat([...parts, end, Buffer.from(comment)]);
}

/** Opens an archive and reads its entry in both ways. */
function readEntry(bytes: Buffer): string {
  const name = path.join(folder, 'archive.zip');
  writeFileSync(name, bytes);
  const file = new RandomAccessFile(name);
  try {
    const entry = readZipDirectory(file).get('a/data/0')!;
    verifyEntry(file, entry);
    return Buffer.from(readEntryContents(file, entry)).toString();
  } finally {
    file.dispose();
  }
}

for (const zip64 of [false, true]) {
  test(`an entry is found by its ${zip64 ? '64-bit' : '32-bit'} numbers, also before a comment`, () => {
    assert.equal(readEntry(archive({ zip64 })), 'some weights');
    assert.equal(readEntry(archive({ zip64, comment: 'PK\u0005\u0006 in a comment' })), 'some weights');
  });

  test(`${zip64 ? '64-bit' : '32-bit'} numbers that lie are refused`, () => {
    const lies = [
      { bytes: 2 ** 31 },
      { headerOffset: 5 },
      { headerOffset: 2 ** 31 },
      { count: 2 },
      { bytes: 11 },
    ];
    for (const lie of lies) {
      assert.throws(() => readEntry(archive({ zip64, ...lie })), ModelError, JSON.stringify(lie));
    }
  });
}

test('a directory of impossible size is refused before anything is allocated for it', () => {
  const bytes = archive({ zip64: true });
  bytes.writeBigUInt64LE(2n ** 60n, bytes.length - 22 - 20 - 56 + 40);
  assert.throws(() => readEntry(bytes), /expected a directory of at most \d+ bytes, got 1152921504606847000/);
});
