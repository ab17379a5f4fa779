/** Writes a state dict as `torch.save` does: a zip archive of a pickle and float32 storages. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Tensor } from '../../src/tensor/tensor.ts';

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = 0x4a; // BININT
  bytes.writeInt32LE(value, 1);
  return bytes;
}

function unicode(text: string): Buffer {
  const length = Buffer.alloc(5);
  length[0] = 0x58; // BINUNICODE
  length.writeUInt32LE(utf8(text).length, 1);
  return Buffer.concat([length, utf8(text)]);
}

function tuple(values: readonly number[]): Buffer {
  return Buffer.concat([utf8('('), ...values.map(integer), utf8('t')]);
}

function rebuild(storage: number, { data, dims }: Tensor): Buffer {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((a, b) => a * b, 1));
  return Buffer.concat([
    utf8('ctorch._utils\n_rebuild_tensor_v2\n(('),
    unicode('storage'),
    utf8('ctorch\nFloatStorage\n'),
    unicode(String(storage)),
    unicode('cpu'),
    integer(data.length),
    utf8('tQ'),
    integer(0),
    tuple(dims),
    tuple(strides),
    Buffer.from([0x89]), // NEWFALSE
    utf8('ccollections\nOrderedDict\n)RtR'),
  ]);
}

/** The archive's bytes go to `path`; `wrap` names dictionaries around the state dict, the outermost first. */
export function writeTorchArchive(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  wrap: readonly string[] = [],
): void {
  const list = [...tensors];
  const pickle = Buffer.concat([
    Buffer.from([0x80, 2]),
    ...wrap.map((name) => Buffer.concat([utf8('}'), unicode(name)])),
    utf8('}'),
    ...list.flatMap(([name, tensor], i) => [unicode(name), rebuild(i, tensor), utf8('s')]),
    utf8('s'.repeat(wrap.length)),
    utf8('.'),
  ]);
  const file = openSync(path, 'w');
  const directory: Buffer[] = [];
  let offset = 0;
  const entry = (name: string, contents: Uint8Array): void => {
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt32LE(crc32(contents), 14);
    header.writeUInt32LE(contents.length, 18);
    header.writeUInt32LE(contents.length, 22);
    header.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    header.copy(central, 16, 14, 28);
    central.writeUInt32LE(offset, 42);
    directory.push(central, utf8(name));
    for (const part of [header, utf8(name), contents]) offset += writeSync(file, part);
  };
  entry('archive/data.pkl', pickle);
  list.forEach(([, { data }], i) => {
    entry(`archive/data/${i}`, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  writeSync(file, Buffer.concat([...directory, end]));
  closeSync(file);
}
