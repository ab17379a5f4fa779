import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { bundleBytes, bundleStoreFolder, listBundles, removeBundle } from '../../src/bundles/bundle-store.ts';
import { InvalidOptionError, ModelError } from '../../src/errors.ts';
import { formatOwner } from '../../src/files/thread-owner.ts';
import { EMBEDDED_BUNDLES, openBundle } from '../../src/models/bundle.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();

test('the store is where the system keeps data, unless LCM_PORTRAIT_HOME names a place', () => {
  const cases: readonly (readonly [string, Record<string, string>, string])[] = [
    ['linux', {}, '/home/me/.local/share/lcm-portrait/bundles'],
    ['linux', { XDG_DATA_HOME: '/data' }, '/data/lcm-portrait/bundles'],
    ['linux', { XDG_DATA_HOME: 'relative' }, '/home/me/.local/share/lcm-portrait/bundles'],
    ['darwin', {}, '/home/me/Library/Application Support/lcm-portrait/bundles'],
    ['linux', { LCM_PORTRAIT_HOME: '/big', XDG_DATA_HOME: '/data' }, '/big/bundles'],
    ['linux', { LCM_PORTRAIT_HOME: '' }, '/home/me/.local/share/lcm-portrait/bundles'],
  ];
  for (const [platform, env, expected] of cases) {
    assert.equal(bundleStoreFolder({ env, platform, home: '/home/me' }), expected);
  }
  const home = 'C:\\Users\\me';
  const windows = (env: Record<string, string>) => bundleStoreFolder({ env, platform: 'win32', home });
  assert.equal(windows({ LOCALAPPDATA: 'D:\\Local' }), 'D:\\Local\\lcm-portrait\\bundles');
  assert.equal(windows({}), 'C:\\Users\\me\\AppData\\Local\\lcm-portrait\\bundles');
});

test('bundles are listed with what is wrong with them, opened by name, and removed', async () => {
  const store = path.join(folder, 'store');
  await cp(path.join(EMBEDDED_BUNDLES, 'tiny'), path.join(store, 'copy'), { recursive: true });
  mkdirSync(path.join(store, 'empty'));
  mkdirSync(path.join(store, '.half.1-00000000.partial'));
  writeFileSync(path.join(store, 'file'), '');
  const listed = await listBundles(store);
  assert.deepEqual(
    listed.map(({ name, embedded }) => [name, embedded]),
    [
      ['tiny', true],
      ['copy', false],
      ['empty', false],
    ],
  );
  assert.equal(bundleBytes(listed[1]!.bundle!), bundleBytes(listed[0]!.bundle!));
  assert.match(listed[2]!.problem!, /expected a folder with bundle\.json/);
  assert.equal((await openBundle('copy', store)).folder, path.join(store, 'copy'));
  await assert.rejects(openBundle('none', store), /one of tiny, copy, empty/);

  assert.equal(await removeBundle(store, 'copy'), path.join(store, 'copy'));
  assert(!existsSync(path.join(store, 'copy')));
  await removeBundle(store, 'empty');
  assert.deepEqual(readdirSync(store).sort(), ['.half.1-00000000.partial', 'file']);
});

test('what a killed import and an unfinished transfer left is removed by its name', async () => {
  const store = path.join(folder, 'killed');
  const owner = { host: os.hostname(), pid: 4_194_999, thread: 0, started: '' };
  mkdirSync(path.join(store, `.half.00000000-${formatOwner(owner)}.partial`), { recursive: true });
  mkdirSync(path.join(store, '.half.pull'));
  assert.equal(await removeBundle(store, 'half'), path.join(store, 'half'));
  assert.deepEqual(readdirSync(store), []);
  await assert.rejects(removeBundle(store, 'half'), /there is none/);
});

test('the embedded bundle, and what is no bundle, cannot be removed', async () => {
  const store = path.join(folder, 'other');
  await assert.rejects(removeBundle(store, 'tiny'), /got one that the package carries/);
  assert(existsSync(path.join(EMBEDDED_BUNDLES, 'tiny/bundle.json')));
  await assert.rejects(removeBundle(store, 'none'), ModelError);
  for (const name of ['..', '../tiny', '', '/'])
    await assert.rejects(removeBundle(store, name), InvalidOptionError);
  assert.deepEqual(
    (await listBundles(store)).map(({ name }) => name),
    ['tiny'],
  );
});
