import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fuzzReaders } from '../../scripts/lib/fuzz-readers.ts';
import { fuzzSeeds } from '../../scripts/lib/fuzz-seeds.ts';
import { mutate, seededRandom } from '../../scripts/lib/mutations.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();

test('damaged manifests, safetensors, pickles and archives are read or refused with a typed error', async () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const { tried, read, refused, failures } = await fuzzReaders(
    fuzzSeeds(),
    numbers,
    path.join(folder, 'inputs'),
  );
  assert.deepEqual(failures, []);
  assert.equal(tried, 1000);
  // Damage shows, and does not always.
  assert.ok(read > 50 && refused > 500, `${read} read, ${refused} refused`);
});

test('a number makes the same input again, and another one another', () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  const make = (number: number): Uint8Array => mutate(bytes, seededRandom(number));
  assert.deepEqual(make(7), make(7));
  assert.notDeepEqual(make(7), make(8));
  assert.notDeepEqual(make(7), bytes);
});
