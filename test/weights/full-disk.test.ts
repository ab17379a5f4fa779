import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { WeightCache } from '../../src/weights/weight-cache.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { fillDisk, mountSmallDisk } from '../helpers/small-disk.ts';

const WIDTH = 64;
const BYTES = WIDTH * WIDTH * 4;

/** A graph of weights, each made when it is read. */
function graphOf(...reads: (() => void)[]): GraphBuilder {
  const graph = new GraphBuilder('graph');
  for (const [i, read] of reads.entries()) {
    const make = (): Float32Array => {
      read();
      return new Float32Array(WIDTH * WIDTH).fill(i + 1);
    };
    graph.output(`y${i}`, graph.weight(`w${i}`, make, [WIDTH, WIDTH]));
  }
  return graph;
}

const nothing = (): void => {};

/** All files below a folder but the one that fills its disk. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== '.filler')
    .sort();
}

async function assertRefused(storing: Promise<unknown>, folder: string): Promise<void> {
  await assert.rejects(storing, (error) => {
    assert(error instanceof EnvironmentError, String(error));
    assert.match(error.message, /expected \d+ MB of free space, got .*LCM_PORTRAIT_CACHE/);
    assert(error.message.startsWith(`Cannot keep weights in ${folder}`));
    return true;
  });
}

// 64 MB are left to others.
const { folder: disk, skip } = mountSmallDisk(68);

/** A cache on the small disk that holds one entry. */
async function cacheWithEntry(name: string): Promise<WeightCache> {
  const cache = new WeightCache({ folder: path.join(disk, name) });
  await cache.store('kept', graphOf(nothing));
  return cache;
}

test('a disk that fills up between two weights leaves the cache as it was', { skip }, async () => {
  const cache = await cacheWithEntry('weights');
  const before = filesIn(cache.folder);
  let free = nothing;
  const fill = (): void => {
    free = fillDisk(disk);
  };
  await assertRefused(cache.store('new', graphOf(nothing, fill)), cache.folder);
  assert.deepEqual(filesIn(cache.folder), before);
  // The same for weights that an entry lacks.
  free();
  await assertRefused(cache.store('kept', graphOf(nothing, fill)), cache.folder);
  assert.deepEqual(filesIn(cache.folder), before);
  free();
  assert.equal((await cache.store('kept', graphOf(nothing))).written, 0);
  assert.equal((await cache.store('new', graphOf(nothing, nothing))).written, 2 * BYTES);
});

test('a disk that has room for the weights but not for their index leaves the cache as it was', {
  skip,
}, async () => {
  const cache = await cacheWithEntry('index');
  const before = filesIn(cache.folder);
  let free = nothing;
  const fill = (): void => {
    free = fillDisk(disk, BYTES);
  };
  await assertRefused(cache.store('kept', graphOf(nothing, fill)), cache.folder);
  assert.deepEqual(filesIn(cache.folder), before);
  free();
  assert.equal((await cache.store('kept', graphOf(nothing, nothing))).written, BYTES);
});

test('a disk without room for a lock leaves none behind', { skip }, async () => {
  const cache = await cacheWithEntry('lock');
  const before = filesIn(cache.folder);
  const free = fillDisk(disk);
  // What is there can be used all the same.
  assert.equal((await cache.store('kept', graphOf(nothing))).written, 0);
  await assertRefused(cache.store('new', graphOf(nothing)), cache.folder);
  assert.deepEqual(filesIn(cache.folder), before);
  free();
  assert.equal((await cache.store('new', graphOf(nothing))).written, BYTES);
});

test('where removing all other entries would not make enough room, none is removed', { skip }, async () => {
  const cache = await cacheWithEntry('room');
  const before = filesIn(cache.folder);
  const graph = new GraphBuilder('large');
  const read = (): never => assert.fail('read although there is no room');
  graph.output('y', graph.weight('w', read, [4096, 4096]));
  await assertRefused(cache.store('large', graph), cache.folder);
  assert.deepEqual(filesIn(cache.folder), before);
});

test('a write that fails leaves the cache as it was', async () => {
  const cache = new WeightCache({ folder: path.join(temporaryDirectory(), 'cache') });
  await cache.store('kept', graphOf(nothing));
  const before = filesIn(cache.folder);
  const fail = (): never => {
    throw Object.assign(new Error('no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  };
  for (const key of ['kept', 'new']) {
    await assertRefused(cache.store(key, graphOf(nothing, fail)), cache.folder);
    assert.deepEqual(filesIn(cache.folder), before);
  }
});
