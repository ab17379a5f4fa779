import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { contentKey, FileHashes } from '../../src/jobs/content-key.ts';

const CLIP = {
  portrait: 'assets/portraits/ada.jpg',
  audio: 'assets/speech/short.wav',
  output: path.join('out', 'clip.mp4'),
};

test("a preset's choice and the same one by hand are one clip, another is not", async () => {
  const hashes = new FileHashes();
  const fast = await contentKey(CLIP, hashes);
  const windows = { ...CLIP, windows: 'moving' } as const;
  assert.equal(await contentKey(windows, hashes), fast);
  assert.notEqual(await contentKey({ ...CLIP, windows: 'overlapping' }, hashes), fast);
  const faster = await contentKey({ ...CLIP, preset: 'faster' }, hashes);
  const byHand = { ...windows, preset: 'faster', denoiseEvery: 2, precision: 'int8' } as const;
  assert.equal(await contentKey(byHand, hashes), faster);
  for (const changes of [
    { denoiseEvery: 1 },
    { precision: 'float32' },
    { windows: 'overlapping' },
  ] as const) {
    assert.notEqual(await contentKey({ ...CLIP, preset: 'faster', ...changes }, hashes), faster);
  }
});

test('clips of another precision have another key, whatever device computes them', async () => {
  const hashes = new FileHashes();
  const key = await contentKey(CLIP, hashes);
  assert.equal(await contentKey({ ...CLIP, device: 'cpu', precision: 'int8' }, hashes), key);
  const floats = await contentKey({ ...CLIP, precision: 'float32' }, hashes);
  assert.notEqual(floats, key);
  assert.equal(await contentKey({ ...CLIP, device: 'cpu', precision: 'float32' }, hashes), floats);
});
