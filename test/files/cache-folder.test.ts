import assert from 'node:assert/strict';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { cacheFolder } from '../../src/files/cache-folder.ts';
import { userHome } from '../../src/files/user-home.ts';

test('every system has its own folder for caches', () => {
  assert.equal(cacheFolder({}, 'linux', '/home/ada'), path.join('/home/ada', '.cache', 'lcm-portrait'));
  assert.equal(
    cacheFolder({ XDG_CACHE_HOME: '/fast' }, 'linux', '/home/ada'),
    path.join('/fast', 'lcm-portrait'),
  );
  assert.equal(
    cacheFolder({ XDG_CACHE_HOME: 'relative' }, 'linux', '/home/ada'),
    path.join('/home/ada', '.cache', 'lcm-portrait'),
  );
  assert.match(cacheFolder({}, 'darwin', '/Users/ada'), /Library.Caches.lcm-portrait$/);
  assert.match(cacheFolder({ LOCALAPPDATA: '/l' }, 'win32', '/u'), /l.lcm-portrait.Cache$/);
});

test('LCM_PORTRAIT_CACHE comes before everything else', () => {
  assert.equal(
    cacheFolder({ LCM_PORTRAIT_CACHE: '/mine', XDG_CACHE_HOME: '/x' }, 'linux', '/h'),
    path.resolve('/mine'),
  );
});

test('a user without a home has a folder of its own among the temporary files', () => {
  const nowhere = () => {
    throw new Error('ENOENT: no such file or directory, uv_os_homedir');
  };
  for (const home of [nowhere, () => '']) {
    const folder = userHome(home);
    assert.equal(path.dirname(folder), os.tmpdir());
    assert.match(path.basename(folder), /^lcm-portrait-/);
  }
  assert.equal(
    userHome(() => '/home/ada'),
    '/home/ada',
  );
});
