import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ModelError } from '../../src/errors.ts';
import { openWeights } from '../../src/weights/open-weights.ts';
import { encodeSafetensors } from '../../src/weights/safetensors.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
const index = path.join(folder, 'model.safetensors.index.json');

function writeShard(name: string, tensors: Readonly<Record<string, readonly number[]>>): void {
  const entries = Object.entries(tensors).map(
    ([key, values]) => [key, { data: Float32Array.from(values), dims: [values.length] }] as const,
  );
  writeFileSync(path.join(folder, name), encodeSafetensors(entries));
}

function writeIndex(map: unknown): void {
  writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }));
}

writeShard('model-1.safetensors', { 'a.weight': [1, 2] });
writeShard('model-2.safetensors', { 'b.weight': [3], 'b.bias': [4] });

test('weights are read from the file that the index names', () => {
  writeIndex({
    'a.weight': 'model-1.safetensors',
    'b.weight': 'model-2.safetensors',
    'b.bias': 'model-2.safetensors',
  });
  const file = openWeights(index);
  assert.deepEqual([...file.keys()], ['a.weight', 'b.weight', 'b.bias']);
  assert.deepEqual([...file.read('a.weight').data], [1, 2]);
  assert.deepEqual([...file.read('b.bias').data], [4]);
  assert.deepEqual(file.info('b.weight'), { dims: [1], dtype: 'F32' });
  assert.throws(() => file.read('c'), ModelError);
  file.dispose();
  file.dispose();
});

const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
  [
    'a file that is missing',
    { 'a.weight': 'model-3.safetensors' },
    /model-3\.safetensors.*nothing at this path/,
  ],
  ['a weight in the wrong file', { 'a.weight': 'model-2.safetensors' }, /expected a\.weight in model-2/],
  ['a file elsewhere', { 'a.weight': '../model-1.safetensors' }, /the name of a file next to it/],
  ['no map', undefined, /expected a weight_map/],
  ['an empty map', {}, /expected a weight_map/],
];
for (const [what, map, message] of WRONG) {
  test(`an index with ${what} is refused`, () => {
    writeIndex(map);
    assert.throws(() => openWeights(index), message);
  });
}
