import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../../src/errors.ts';
import { openWeights } from '../../src/weights/open-weights.ts';
import { openPytorch } from '../../src/weights/pytorch.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const GOLDEN = fileURLToPath(new URL('../golden/pytorch/', import.meta.url));
const folder = temporaryDirectory();

type Expected = Record<string, Record<string, { readonly shape: number[]; readonly values: number[] }>>;
const EXPECTED: Expected = JSON.parse(readFileSync(path.join(GOLDEN, 'expected.json'), 'utf8'));

for (const [name, tensors] of Object.entries(EXPECTED)) {
  test(`${name} holds what PyTorch reads from it`, () => {
    const file = openWeights(path.join(GOLDEN, name));
    try {
      assert.deepEqual([...file.keys()].sort(), Object.keys(tensors).sort());
      for (const [key, { shape, values }] of Object.entries(tensors)) {
        assert.deepEqual(file.info(key).dims, shape, key);
        const { data, dims } = file.read(key);
        assert.deepEqual(dims, shape, key);
        assert.deepEqual([...data], values.map(Math.fround), key);
      }
    } finally {
      file.dispose();
    }
  });
}

/** Each hostile file, and what the message names. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'hostile_os_system.pth': /got (?:posix|nt)\.system, which could run any program; nothing was executed/,
  'hostile_legacy.pth': /got (?:posix|nt)\.system/,
  'hostile_protocol4.pth': /got (?:posix|nt)\.system/,
  'hostile_eval.pth': /got \w+\.eval/,
  'hostile_getattr.pth': /got \w+\.getattr/,
  'hostile_import_module.pth': /got \w+\.__import__/,
  'hostile_doubling.pth': /lie too deep in each other/,
  'hostile_circle.pth': /lie too deep in each other/,
  'bomb_storage.pth': /expected 16 bytes in data\/0, got 50000000/,
  'compressed.pth': /a compressed or encrypted one, plain\/data\/0/,
  'bomb_pickle.pth': /a compressed or encrypted one, plain\/data\.pkl/,
  'torchscript.pt': /a TorchScript program/,
  'other.pkl': /expected a PyTorch checkpoint, got another pickle/,
};
for (const [name, message] of Object.entries(REFUSED)) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => openWeights(path.join(GOLDEN, name)),
      (error) => {
        assert(error instanceof ModelError);
        assert.match(error.message, message);
        assert.match(error.message, new RegExp(name.replace('.', '\\.')));
        return true;
      },
    );
    assert(!existsSync('executed.txt'));
  });
}

test('every file that was made is tested', () => {
  const made = readdirSync(GOLDEN).filter((name) => !/^(?:expected\.json|README\.md)$/.test(name));
  assert.deepEqual(made.sort(), [...Object.keys(EXPECTED), ...Object.keys(REFUSED)].sort());
});

/** Reads all of a file. */
function readAll(file: string): void {
  const opened = openWeights(file);
  try {
    for (const key of opened.keys()) opened.read(key);
  } finally {
    opened.dispose();
  }
}

for (const name of ['types.pth', 'views.pth', 'module.pth', 'types_legacy.pth', 'training_legacy.pth']) {
  test(`${name} cut at any place is refused with a typed error`, () => {
    const bytes = readFileSync(path.join(GOLDEN, name));
    const file = path.join(folder, `cut-${name}`);
    for (let length = 0; length < bytes.length; length += 13) {
      writeFileSync(file, bytes.subarray(0, length));
      assert.throws(() => readAll(file), ModelError, `${length} of ${bytes.length} bytes`);
    }
  });

  test(`${name} with a bit flipped is read or refused with a typed error, never worse`, () => {
    const bytes = readFileSync(path.join(GOLDEN, name));
    const file = path.join(folder, `flipped-${name}`);
    for (let at = 0; at < bytes.length; at += 7) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      writeFileSync(file, flipped);
      try {
        readAll(file);
      } catch (error) {
        assert(error instanceof ModelError, `byte ${at}: ${error}`);
      }
    }
  });
}

test('a bit flipped in a tensor of an archive is found by its checksum, and names key and entry', () => {
  const bytes = readFileSync(path.join(GOLDEN, 'module.pth'));
  const [weight] = EXPECTED['module.pth']!['0.weight']!.values;
  const pattern = Buffer.alloc(4);
  pattern.writeFloatLE(weight!);
  const at = bytes.indexOf(pattern);
  assert(at > 0);
  bytes[at]! ^= 1;
  const file = path.join(folder, 'flipped.pth');
  writeFileSync(file, bytes);
  const opened = openPytorch(file);
  assert.throws(
    () => opened.read('0.weight'),
    /weight 0\.weight: .*expected checksum [0-9a-f]{8} of module\/data\/0/,
  );
  opened.dispose();
});

test('what is no checkpoint is called what it is', () => {
  const contents: readonly (readonly [string, RegExp])[] = [
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0\n', /a pointer of Git LFS/],
    ['<!DOCTYPE html><html>', /a web page/],
    ['GGUF\u0003\u0000', /a GGUF file/],
    ['', /an empty file/],
  ];
  for (const [text, message] of contents) {
    const file = path.join(folder, 'mistaken.pth');
    writeFileSync(file, text);
    assert.throws(() => openWeights(file), message);
  }
  assert.throws(() => openWeights(folder), /expected a readable file of weights, got a folder/);
  assert.throws(() => openWeights(path.join(folder, 'none.pth')), /got nothing at this path/);
});
