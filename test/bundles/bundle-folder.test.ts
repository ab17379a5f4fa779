import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { assertRoom, BundleFolder } from '../../src/bundles/bundle-folder.ts';
import { EnvironmentError, ModelError } from '../../src/errors.ts';
import { currentOwner, formatOwner, type ThreadOwner } from '../../src/files/thread-owner.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import type { TensorToWrite } from '../../src/weights/safetensors-writer.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
/** Names of a bundle's partial folder. No process has the number: it is beyond the largest that systems give. */
const ENDED = { pid: 4_194_999, thread: 4_194_999, started: '1' };
const partialOf = (bundle: string, owner: ThreadOwner): string =>
  `.${bundle}.0123abcd-${formatOwner(owner)}.partial`;
const leftBy = (bundle: string): string => partialOf(bundle, { ...ENDED, host: os.hostname() });
const DESCRIPTION = { name: 'any' } as never;

function tensor(
  name: string,
  values: readonly number[],
  dtype: TensorToWrite['dtype'] = 'F32',
): TensorToWrite {
  return { name, dims: [values.length], dtype, read: () => Float32Array.from(values) };
}

test('weights are written one after another, in the type asked for, and get their name together', async () => {
  const store = path.join(folder, 'written');
  const bundle = await BundleFolder.begin(store, 'made', 100);
  const order: string[] = [];
  const tensors = [tensor('a', [1, 2]), tensor('b', [0.1], 'F16'), tensor('c', [0.1], 'BF16')];
  const watched = tensors.map((each) => ({
    ...each,
    read: () => {
      order.push(each.name);
      return each.read();
    },
  }));
  const file = await bundle.writeWeights('w.safetensors', watched, { metadata: { format: 'pt' } });
  assert.deepEqual(order, ['a', 'b', 'c']);
  assert.deepEqual(
    readdirSync(store).filter((name) => !name.startsWith('.')),
    [],
  );
  const made = await bundle.finish(DESCRIPTION, false);
  await bundle.discard();
  const opened = openSafetensors(path.join(made, 'w.safetensors'));
  assert.deepEqual(
    [...opened.keys()].map((key) => opened.info(key).dtype),
    ['F32', 'F16', 'BF16'],
  );
  // The nearest numbers to 0.1 of ten and seven bits of mantissa.
  assert.deepEqual([opened.read('b').data[0], opened.read('c').data[0]], [0.0999755859375, 0.10009765625]);
  assert.equal(readFileSync(path.join(made, 'w.safetensors')).length, file.bytes);
  opened.dispose();
});

test('numbers that cannot be stored are refused by name', async () => {
  const bundle = await BundleFolder.begin(path.join(folder, 'refused'), 'made', 100);
  const wrong: readonly (readonly [TensorToWrite, RegExp])[] = [
    [tensor('w', [1, Number.NaN]), /Cannot write w to .*finite, got NaN/],
    [tensor('w', [Number.NEGATIVE_INFINITY]), /finite, got -Infinity/],
    [tensor('w', [70_000], 'F16'), /up to 65504 in half precision, got 70000/],
  ];
  for (const [i, [each, message]] of wrong.entries()) {
    await assert.rejects(bundle.writeWeights(`w${i}.safetensors`, [each]), message);
  }
  await bundle.discard();
  assert.deepEqual(readdirSync(path.join(folder, 'refused')), []);
});

test('a process that died while it replaced a bundle has not taken it away', async () => {
  const store = path.join(folder, 'replaced');
  const partial = leftBy('made');
  mkdirSync(path.join(store, `${partial}.old`), { recursive: true });
  mkdirSync(path.join(store, partial));
  writeFileSync(path.join(store, `${partial}.old`, 'bundle.json'), 'the old one');
  const bundle = await BundleFolder.begin(store, 'made', 100);
  await bundle.discard();
  assert.deepEqual(readdirSync(store), ['made']);
  assert.equal(readFileSync(path.join(store, 'made/bundle.json'), 'utf8'), 'the old one');
});

test('what dead processes left of other bundles goes, of other machines’ once it is idle; of living ones nothing goes', async () => {
  const store = path.join(folder, 'left');
  const leave = (name: string, idle: boolean): void => {
    const file = path.join(store, name, 'weights.safetensors');
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
    if (!idle) return;
    utimesSync(file, 1e9, 1e9);
    utimesSync(path.dirname(file), 1e9, 1e9);
  };
  const elsewhere = { ...ENDED, host: 'elsewhere' };
  const kept = [
    partialOf('a', elsewhere),
    partialOf('b', { ...currentOwner(), pid: process.ppid, started: '' }),
  ];
  leave(kept[0]!, false);
  leave(kept[1]!, true);
  leave(leftBy('c'), false);
  leave(partialOf('f', elsewhere), true);
  leave(`${leftBy('d.e')}.old`, true);
  await (await BundleFolder.begin(store, 'made', 1)).discard();
  assert.deepEqual(readdirSync(store).sort(), [...kept, 'd.e']);
});

test('two bundles of one name can be written at once; the second finds the name taken', async () => {
  const store = path.join(folder, 'both');
  const [first, second] = [
    await BundleFolder.begin(store, 'made', 1),
    await BundleFolder.begin(store, 'made', 1),
  ];
  await first.finish(DESCRIPTION, false);
  await assert.rejects(second.finish(DESCRIPTION, false), ModelError);
  await second.discard();
  assert.deepEqual(readdirSync(store), ['made']);
});

test('more bytes than the disk has room for are refused before anything is written', async () => {
  const store = path.join(folder, 'room');
  mkdirSync(store);
  await assert.rejects(assertRoom(store, 2 ** 60), (error) => {
    assert(error instanceof EnvironmentError);
    assert.match(error.message, /expected 1152921504\.\d GB of room on the disk, got .*LCM_PORTRAIT_HOME/);
    return true;
  });
  await assert.rejects(BundleFolder.begin(store, 'made', 2 ** 60), EnvironmentError);
  assert.deepEqual(readdirSync(store), []);
  writeFileSync(path.join(folder, 'file'), '');
  await assert.rejects(
    BundleFolder.begin(path.join(folder, 'file/store'), 'made', 1),
    /a folder that can be written/,
  );
});
