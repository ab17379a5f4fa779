import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { prepareOutput } from '../../src/media/prepare-output.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const directory = temporaryDirectory();
const at = (...parts: string[]) => path.join(directory, ...parts);
writeFileSync(at('file.mp4'), 'x');
mkdirSync(at('folder.mp4'));
mkdirSync(at('empty'));

test('a new name is accepted and nothing is left there', async () => {
  assert.equal(await prepareOutput(at('empty', 'talk.MP4')), at('empty', 'talk.MP4'));
  assert.deepEqual(readdirSync(at('empty')), []);
});

const BAD: readonly (readonly [what: string, path: string, code: string, message: RegExp])[] = [
  [
    'a folder that does not exist',
    at('none', 'talk.mp4'),
    'MEDIA',
    /expected a folder that exists, got .*none; create it/,
  ],
  ['a file for a folder', at('file.mp4', 'talk.mp4'), 'MEDIA', /expected a folder, got/],
  ['a folder as the file', at('folder.mp4'), 'MEDIA', /expected a file name, got a folder$/],
  [
    'a file that exists',
    at('file.mp4'),
    'MEDIA',
    /expected a new file, got one that exists.*overwrite: true/,
  ],
  [
    'an unknown extension',
    at('talk.avi'),
    'INVALID_OPTION',
    /ends in \.mp4, \.m4v, \.mov, \.webm, \.gif, \.webp, got \.avi$/,
  ],
  ['no extension', at('talk'), 'INVALID_OPTION', /got no extension$/],
];
for (const [what, outputPath, code, message] of BAD) {
  test(`${what} is refused`, async () => {
    await assert.rejects(prepareOutput(outputPath), { code, message });
  });
}

test('force replaces files but neither folders nor inputs', async () => {
  assert.equal(await prepareOutput(at('file.mp4'), { force: true }), at('file.mp4'));
  await assert.rejects(prepareOutput(at('folder.mp4'), { force: true }), { code: 'MEDIA' });
  const inputs = [at('empty', '..', 'file.mp4')];
  await assert.rejects(prepareOutput(at('file.mp4'), { force: true, inputs }), { code: 'INVALID_OPTION' });
  assert.ok(existsSync(at('file.mp4')));
});

test('a folder that cannot be written is refused, also for root', {
  skip: process.platform !== 'linux',
}, async () => {
  await assert.rejects(prepareOutput('/proc/talk.mp4'), {
    code: 'MEDIA',
    message: /expected a folder that can be written/,
  });
});

test('links stay, and lead to where the video will be, also where nothing is yet', async () => {
  const disk = path.join(directory, 'disk');
  mkdirSync(disk);
  const link = path.join(directory, 'linked.mp4');
  symlinkSync('disk/talk.mp4', link);
  symlinkSync(link, path.join(directory, 'twice.mp4'));
  for (const name of ['linked.mp4', 'twice.mp4']) {
    assert.equal(await prepareOutput(path.join(directory, name)), path.join(disk, 'talk.mp4'));
  }
  symlinkSync('nowhere/talk.mp4', path.join(directory, 'lost.mp4'));
  await assert.rejects(
    prepareOutput(path.join(directory, 'lost.mp4')),
    /expected a folder that exists, got .*nowhere/,
  );
});
