import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { assertSpace, FrameSpool } from '../../src/compare/frame-spool.ts';
import { MediaError, ShapeError } from '../../src/errors.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { waves } from '../metrics/pictures.ts';

const folder = temporaryDirectory();

test('frames come back as they went in, in any order', async () => {
  const file = path.join(folder, 'frames.rgb');
  const spool = await FrameSpool.open(file, { width: 20, height: 12 });
  for (const shift of [0, 3, 9]) await spool.add(waves(20, 12, shift));
  assert.equal(spool.count, 3);
  assert.deepEqual(await spool.read(2), waves(20, 12, 9));
  assert.deepEqual(await spool.read(0), waves(20, 12, 0));
  await assert.rejects(spool.read(3), /frame 3 of 3/);
  await assert.rejects(spool.add(waves(12, 20)), ShapeError);
  await spool.dispose();
  await spool.dispose();
  assert.ok(!existsSync(file));
});

test('a disk without room is reported before anything is rendered', async () => {
  await assertSpace(folder, 1000);
  await assert.rejects(assertSpace(folder, 1e18), (error: Error) => {
    assert.ok(error instanceof MediaError);
    return /expected 1000000000\.5 GB of free space, got/.test(error.message);
  });
});
