import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { cacheFolder } from '../../src/files/cache-folder.ts';

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
