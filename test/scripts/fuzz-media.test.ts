import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fuzzMedia, mediaSeeds } from '../../scripts/lib/fuzz-media.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();

test('damaged sounds, pictures and motion files are read or refused with a typed error', {
  timeout: 600_000,
}, async () => {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const seeds = await mediaSeeds(ffmpeg, path.join(folder, 'seeds'));
  const numbers = Array.from({ length: 60 }, (_, i) => i);
  const { tried, read, refused, failures } = await fuzzMedia(seeds, numbers, {
    ...{ ffmpeg, folder: path.join(folder, 'inputs') },
  });
  assert.deepEqual(failures, []);
  assert.equal(tried, 60);
  assert.ok(read > 5 && refused > 5, `${read} read, ${refused} refused`);
});
