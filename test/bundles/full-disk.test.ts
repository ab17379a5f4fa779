import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type ImportOptions, importAniPortrait } from '../../src/bundles/import-aniportrait.ts';
import { EnvironmentError } from '../../src/errors.ts';
import { openBundle, verifyBundle } from '../../src/models/bundle.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { SMALL_ARCHITECTURE, writeSmallCheckpoints } from '../helpers/small-checkpoints.ts';
import { fillDisk, mountSmallDisk } from '../helpers/small-disk.ts';

const { folder: disk, skip } = mountSmallDisk(256);

test('importing to a disk that fills up names the file and leaves the bundle that was there', {
  skip,
}, async () => {
  const published = path.join(temporaryDirectory(), 'pretrained_model');
  writeSmallCheckpoints(published);
  const store = path.join(disk, 'store');
  const given: ImportOptions = { store, architecture: SMALL_ARCHITECTURE, half: true, overwrite: true };
  await importAniPortrait(published, given);
  let free: (() => void) | undefined;
  const onProgress: NonNullable<ImportOptions['onProgress']> = (event) => {
    if (event.type === 'bytes' && event.done > 1e6) free ??= fillDisk(disk);
  };
  await assert.rejects(importAniPortrait(published, { ...given, onProgress }), (error) => {
    assert(error instanceof EnvironmentError, String(error));
    assert.match(
      error.message,
      /^Cannot write to \S*store\/aniportrait\/\w+\.safetensors: expected room on the disk/,
    );
    assert.match(error.message, /LCM_PORTRAIT_HOME/);
    return true;
  });
  free!();
  assert.deepEqual(readdirSync(store), ['aniportrait']);
  await verifyBundle(await openBundle(path.join(store, 'aniportrait')));
});
