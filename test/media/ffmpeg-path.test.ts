import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const directory = temporaryDirectory();
const real = (await locateFfmpeg({ env: {} })).path;

/** A program that answers as an ffmpeg with these encoders. */
function fakeFfmpeg(folder: string, encoders: string, mode = 0o755): string {
  mkdirSync(path.join(directory, folder), { recursive: true });
  const file = path.join(directory, folder, 'ffmpeg');
  const lines = encoders.split(' ').map((name) => ` V..... ${name} text`);
  writeFileSync(
    file,
    `#!/bin/sh\ncase "$1" in -version) echo "ffmpeg version 9.9 of test";; *) echo "${lines.join('\n')}";; esac\n`,
  );
  chmodSync(file, mode);
  return file;
}

const good = fakeFfmpeg('good', 'libx264 aac');
const second = fakeFfmpeg('second', 'libopenh264 aac');
const poor = fakeFfmpeg('poor', 'mpeg4 aac');

/** A module loader that knows these packages alone. */
function packages(known: Record<string, unknown>) {
  return (name: string) => {
    if (name in known) return known[name];
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  };
}

test('the places are tried in their order', async () => {
  const all = packages({ 'ffmpeg-static': good, '@ffmpeg-installer/ffmpeg': { path: good } });
  const env = { FFMPEG_PATH: second, PATH: path.dirname(second) };
  const named = await locateFfmpeg({ env, loadPackage: all });
  assert.deepEqual([named.source, named.path, named.h264Encoder], ['FFMPEG_PATH', second, 'libopenh264']);
  assert.deepEqual([named.version, named.encoders], ['9.9', ['libopenh264', 'aac']]);
  const { PATH } = env;
  assert.equal((await locateFfmpeg({ env: { PATH }, loadPackage: all })).source, 'ffmpeg-static');
  const installer = packages({ '@ffmpeg-installer/ffmpeg': { path: good } });
  assert.equal((await locateFfmpeg({ env: { PATH }, loadPackage: installer })).source, 'PATH');
  assert.equal((await locateFfmpeg({ env: {}, loadPackage: installer })).source, '@ffmpeg-installer/ffmpeg');
});

test('a package without its binary, and an ffmpeg without H.264, are passed over with the reason', async () => {
  const loadPackage = packages({
    'ffmpeg-static': path.join(directory, 'none'),
    '@ffmpeg-installer/ffmpeg': { path: good },
  });
  const info = await locateFfmpeg({ env: { PATH: path.dirname(poor) }, loadPackage });
  assert.equal(info.source, '@ffmpeg-installer/ffmpeg');
  assert.deepEqual(info.rejected, [
    { source: 'ffmpeg-static', reason: 'is not an executable file' },
    { source: 'PATH', reason: 'has no H.264 encoder (libx264 or libopenh264)' },
  ]);
});

test('an unusable FFMPEG_PATH is an error, not a reason to take another', async () => {
  for (const FFMPEG_PATH of [directory, path.join(directory, 'none'), poor, import.meta.filename]) {
    await assert.rejects(locateFfmpeg({ env: { FFMPEG_PATH, PATH: path.dirname(good) } }), (error) => {
      assert.ok(error instanceof EnvironmentError);
      assert.match(error.message, /^Cannot use FFMPEG_PATH: .*unset it/);
      return true;
    });
  }
});

test('nothing found says what to do', async () => {
  await assert.rejects(locateFfmpeg({ env: {}, loadPackage: packages({}) }), (error) => {
    assert.ok(error instanceof EnvironmentError);
    assert.match(error.message, /ffmpeg-static is not installed; PATH has no ffmpeg; .*set FFMPEG_PATH/);
    return true;
  });
});

test('a carried binary is made executable in place', { skip: process.platform === 'win32' }, async () => {
  const blocked = fakeFfmpeg('blocked', 'libx264 aac', 0o644);
  const loadPackage = packages({ '@ffmpeg-installer/ffmpeg': { path: blocked } });
  const info = await locateFfmpeg({ env: {}, loadPackage });
  assert.equal(info.path, blocked);
  assert.equal(statSync(blocked).mode & 0o777, 0o755);
});

test('a carried binary that may not be changed is copied', {
  skip: process.platform !== 'linux',
}, async (t) => {
  // The kernel's own files refuse chmod, also from root.
  const unchangeable = '/proc/self/environ';
  try {
    chmodSync(unchangeable, 0o755);
    t.skip('this system lets /proc be changed');
    return;
  } catch {
    // As expected.
  }
  const cacheDirectory = path.join(directory, 'cache');
  const loadPackage = packages({ '@ffmpeg-installer/ffmpeg': { path: unchangeable } });
  // Files of /proc have size 0; what is in the cache under that name is taken.
  mkdirSync(cacheDirectory);
  copyFileSync(good, path.join(cacheDirectory, 'ffmpeg-0'));
  const info = await locateFfmpeg({ env: {}, loadPackage, cacheDirectory });
  assert.equal(info.path, path.join(cacheDirectory, 'ffmpeg-0'));
});

test('the real package runs through a symbolic link', { skip: process.platform === 'win32' }, async () => {
  mkdirSync(path.join(directory, 'linked'));
  symlinkSync(real, path.join(directory, 'linked', 'ffmpeg'));
  const info = await locateFfmpeg({
    env: { PATH: path.join(directory, 'linked') },
    loadPackage: packages({}),
  });
  assert.equal(info.h264Encoder, 'libx264');
});

test('a program is asked what it can do once, and again when its file has changed', {
  skip: process.platform === 'win32',
}, async () => {
  const file = fakeFfmpeg('counted', 'libx264 aac');
  const calls = path.join(directory, 'calls');
  const script = readFileSync(file, 'utf8');
  const counting = script.replace('\n', `\necho call >> '${calls}'\n`);
  writeFileSync(file, counting);
  const locate = () => locateFfmpeg({ env: { FFMPEG_PATH: file } });
  const first = await locate();
  assert.deepEqual(await locate(), first);
  assert.equal(readFileSync(calls, 'utf8'), 'call\ncall\n'); // its version, and its encoders
  writeFileSync(file, counting.replace('libx264', 'libopenh264'));
  assert.equal((await locate()).h264Encoder, 'libopenh264');
});
