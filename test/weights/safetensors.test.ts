import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ModelError } from '../../src/errors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { memoryWeights } from '../../src/weights/memory-weights.ts';
import { encodeSafetensors, openSafetensors } from '../../src/weights/safetensors.ts';
import { fc } from '../helpers/fast-check.ts';

const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

function write(bytes: Uint8Array): string {
  const path = join(folder, 'file.safetensors');
  writeFileSync(path, bytes);
  return path;
}

/** A file of a header as it is written here, then `data`. */
function writeRaw(
  header: string,
  data = new Uint8Array(0),
  headerBytes = BigInt(Buffer.byteLength(header)),
): string {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(headerBytes);
  return write(Buffer.concat([prefix, Buffer.from(header), data]));
}

const entry = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

test('what is written is read', () => {
  const tensors = fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__' && name !== '__proto__'),
    fc.float32Array({ noNaN: true, maxLength: 12 }),
  );
  fc.assert(
    fc.property(
      tensors,
      fc.dictionary(fc.constantFrom('format', 'note', 'ü'), fc.string()),
      (arrays, metadata) => {
        const list = Object.entries(arrays).map(([name, data]): [string, Tensor] => [
          name,
          { data, dims: [1, data.length] },
        ]);
        const file = openSafetensors(write(encodeSafetensors(list, metadata)));
        assert.deepEqual([...file.keys()].sort(), list.map(([name]) => name).sort());
        assert.deepEqual({ ...file.metadata }, { ...metadata });
        for (const [name, tensor] of list) assert.deepEqual(file.read(name), tensor);
        file.dispose();
      },
    ),
    { numRuns: 30 },
  );
});

test('every element type becomes float32', () => {
  const types: readonly [string, ArrayBufferView, number[]][] = [
    ['F64', Float64Array.of(0.1, -2), [Math.fround(0.1), -2]],
    ['F32', Float32Array.of(1.5, -2), [1.5, -2]],
    ['F16', Uint16Array.of(0x3c00, 0xc000), [1, -2]],
    ['BF16', Uint16Array.of(0x3f80, 0xc000), [1, -2]],
    ['I64', BigInt64Array.of(-3n, 5n), [-3, 5]],
    ['U64', BigUint64Array.of(3n, 5n), [3, 5]],
    ['I32', Int32Array.of(-3, 5), [-3, 5]],
    ['U32', Uint32Array.of(3_000_000_000, 5), [3_000_000_000, 5]],
    ['I16', Int16Array.of(-3, 5), [-3, 5]],
    ['U16', Uint16Array.of(60_000, 5), [60_000, 5]],
    ['I8', Int8Array.of(-3, 5), [-3, 5]],
    ['U8', Uint8Array.of(200, 5), [200, 5]],
    ['BOOL', Uint8Array.of(1, 0), [1, 0]],
  ];
  for (const [dtype, { buffer, byteLength }, expected] of types) {
    const path = writeRaw(
      `{"w":${entry(dtype, [2], [0, byteLength])}}`,
      new Uint8Array(buffer as ArrayBuffer),
    );
    const file = openSafetensors(path);
    assert.deepEqual([...file.read('w').data], expected, dtype);
    assert.deepEqual(file.info('w'), { dims: [2], dtype });
    file.dispose();
  }
});

const eight = new Uint8Array(8);
const damaged: readonly [problem: string, write: () => string, message: RegExp][] = [
  ['a file of 3 bytes', () => write(Uint8Array.of(1, 2, 3)), /at least 8 bytes/],
  [
    'a header longer than the file',
    () => writeRaw('{}', eight, 1000n),
    /header of at most 10 bytes, got 1000/,
  ],
  ['a header of absurd length', () => writeRaw('{}', eight, 2n ** 63n), /header of at most/],
  ['a header that is no JSON', () => writeRaw('{"w":'), /a JSON header/],
  ['a header that is no object', () => writeRaw('[]'), /a JSON object/],
  [
    'an unknown type',
    () => writeRaw(`{"w":${entry('Q4', [2], [0, 8])}}`, eight),
    /dtype of .* for w, got "Q4"/,
  ],
  ['a negative dimension', () => writeRaw(`{"w":${entry('F32', [-2], [0, 8])}}`, eight), /a shape for w/],
  ['missing offsets', () => writeRaw('{"w":{"dtype":"F32","shape":[2]}}', eight), /offsets for w/],
  ['offsets past the end', () => writeRaw(`{"w":${entry('F32', [4], [0, 16])}}`, eight), /w within 8 bytes/],
  [
    'offsets of another size',
    () => writeRaw(`{"w":${entry('F32', [1], [0, 8])}}`, eight),
    /4 bytes for w.*got 8/,
  ],
  [
    'overlapping tensors',
    () => writeRaw(`{"v":${entry('F32', [1], [0, 4])},"w":${entry('F32', [1], [2, 6])}}`, eight),
    /w to begin at byte 4, after v, got an overlap/,
  ],
  [
    'a gap between tensors',
    () => writeRaw(`{"v":${entry('F32', [1], [0, 4])},"w":${entry('U8', [2], [6, 8])}}`, eight),
    /got a gap: byte 6/,
  ],
  [
    'bytes of no tensor',
    () => writeRaw(`{"w":${entry('F32', [1], [0, 4])}}`, eight),
    /4 bytes of tensors, got 8/,
  ],
  [
    'a name that occurs twice',
    () => writeRaw(`{"w":${entry('F32', [1], [0, 4])},"\\u0077":${entry('F32', [1], [4, 8])}}`, eight),
    /every name once, got w twice/,
  ],
];
for (const [problem, make, message] of damaged) {
  test(`${problem} is refused, and the file is named`, () => {
    const path = make();
    assert.throws(
      () => openSafetensors(path),
      (error) => {
        assert.ok(error instanceof ModelError);
        assert.equal(error.modelPath, path);
        assert.ok(error.message.includes(path));
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

for (const [metadata, read] of [
  ['null', {}],
  [
    '{"rank":16,"nested":{"a":[true]},"name":"x","none":null}',
    { rank: '16', nested: '{"a":[true]}', name: 'x', none: 'null' },
  ],
  ['"text"', {}],
  ['[1]', {}],
] as const) {
  test(`metadata that are no strings do not keep tensors from being read: ${metadata}`, () => {
    const file = openSafetensors(
      writeRaw(
        `{"__metadata__":${metadata},"w":${entry('F32', [1], [0, 4])}}`,
        new Uint8Array([0, 0, 128, 63]),
      ),
    );
    assert.deepEqual(file.metadata, read);
    assert.deepEqual([...file.read('w').data], [1]);
    file.dispose();
  });
}

test('eight-bit floats are read as floats', () => {
  // 1.0, -0.5, the largest, the smallest.
  const e4m3 = openSafetensors(
    writeRaw(`{"w":${entry('F8_E4M3', [2, 2], [0, 4])}}`, Uint8Array.of(0x38, 0xb0, 0x7e, 0x01)),
  );
  assert.deepEqual([...e4m3.read('w').data], [1, -0.5, 448, 2 ** -9]);
  e4m3.dispose();
  const e5m2 = openSafetensors(
    writeRaw(`{"w":${entry('F8_E5M2', [4], [0, 4])}}`, Uint8Array.of(0x3c, 0xb8, 0x7b, 0x01)),
  );
  assert.deepEqual([...e5m2.read('w').data], [1, -0.5, 57344, 2 ** -16]);
  e5m2.dispose();
});

test('a file that does not exist is refused', () => {
  assert.throws(() => openSafetensors(join(folder, 'none')), ModelError);
});

test('a weight that does not exist is named with its file', () => {
  const tensors: [string, Tensor][] = [['w', { data: Float32Array.of(1), dims: [1] }]];
  const file = openSafetensors(write(encodeSafetensors(tensors)));
  for (const source of [file, memoryWeights('in memory', new Map(tensors))]) {
    assert.equal(source.has('w'), true);
    assert.equal(source.has('v'), false);
    assert.deepEqual([...source.keys()], ['w']);
    assert.deepEqual(source.info('w'), { dims: [1], dtype: 'F32' });
    for (const call of [() => source.read('v'), () => source.info('v')]) {
      assert.throws(
        call,
        (error) => error instanceof ModelError && error.message.includes(`v of ${source.path}`),
      );
    }
  }
  file.dispose();
  file.dispose();
  assert.throws(() => file.read('w'), /after dispose/);
});
