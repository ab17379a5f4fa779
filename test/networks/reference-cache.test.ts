import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SceneReference } from '../../src/models/frame-conditions.ts';
import type { NamedInputs } from '../../src/networks/clip-networks.ts';
import type { choiceKey } from '../../src/networks/networks-cache.ts';
import { ReferenceCache } from '../../src/networks/reference-cache.ts';

const choice = (fingerprint: string) =>
  ({
    bundle: { folder: '/bundle', fingerprint, description: { resolution: 256 } },
    windowFrames: 12,
    loras: [],
    guided: false,
  }) as unknown as Parameters<typeof choiceKey>[0];
const reference = (...pixels: number[]) =>
  ({ picture: Float32Array.from(pixels) }) as unknown as SceneReference;
const features = (values: number): NamedInputs => ({
  kv: { data: new Float32Array(values), dims: [values] },
});

test('a portrait is known by its pixels, for the same networks', async () => {
  const cache = new ReferenceCache();
  let made = 0;
  const get = (folder: string, ...pixels: number[]) =>
    cache.get(choice(folder), reference(...pixels), async () => {
      made += 1;
      return features(4);
    });
  const first = await get('a', 1, 2);
  assert.equal(await get('a', 1, 2), first);
  assert.equal(made, 1);
  await get('a', 1, 3);
  await get('b', 1, 2);
  assert.equal(made, 3);
  const together = await Promise.all([get('a', 5), get('a', 5)]);
  assert.equal(together[0], together[1]);
  assert.equal(made, 4);
});

test('what could not be made is made again', async () => {
  const cache = new ReferenceCache();
  const failing = async () => {
    throw new Error('engine');
  };
  await assert.rejects(cache.get(choice('a'), reference(1), failing), /engine/);
  assert.ok(await cache.get(choice('a'), reference(1), async () => features(1)));
});

test('those used least recently go when all are too large', async () => {
  const cache = new ReferenceCache();
  const large = 30e6; // 120 MB
  let made = 0;
  const get = (pixel: number) =>
    cache.get(choice('a'), reference(pixel), async () => {
      made += 1;
      return features(large);
    });
  await get(1);
  await get(2);
  await get(1);
  await get(3); // 2 goes
  assert.equal(made, 3);
  await get(1);
  assert.equal(made, 3);
  await get(2);
  assert.equal(made, 4);
});
