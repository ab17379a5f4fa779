import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { contentKey, FileHashes } from '../../src/jobs/content-key.ts';

const CLIP = {
  portrait: 'assets/portraits/ada.jpg',
  audio: 'assets/speech/short.wav',
  output: path.join('out', 'clip.mp4'),
};

test('clips of another precision have another key, whatever device computes them', async () => {
  const hashes = new FileHashes();
  const key = await contentKey(CLIP, hashes);
  assert.equal(await contentKey({ ...CLIP, device: 'cpu', precision: 'auto' }, hashes), key);
  const integers = await contentKey({ ...CLIP, precision: 'int8' }, hashes);
  assert.notEqual(integers, key);
  assert.equal(await contentKey({ ...CLIP, device: 'cpu', precision: 'int8' }, hashes), integers);
});
