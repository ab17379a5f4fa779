import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '../../src/errors.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { assertWritesIn } from '../../src/media/ffmpeg-places.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const directory = temporaryDirectory();
const calls = path.join(directory, 'calls');

/** An ffmpeg that may write everywhere but in folders with such names, and notes where it did. */
function confined(name: string, forbidden: string): FfmpegInfo {
  const file = path.join(directory, name);
  const lines = [
    '#!/bin/sh',
    'for last; do :; done',
    'target=$(echo "$last" | sed s/^file://)',
    `echo "$(dirname "$target")" >> '${calls}'`,
    `case "$target" in *${forbidden}*) echo "$target: Permission denied" >&2; exit 1;; esac`,
    'echo > "$target"',
  ];
  writeFileSync(file, lines.join('\n'));
  chmodSync(file, 0o755);
  const abilities = { version: '9', h264Encoder: 'libx264', encoders: [], rejected: [] } as const;
  return { path: file, source: 'PATH', ...abilities };
}

test('a folder is tried once, with those in it, but for hidden ones', {
  skip: process.platform === 'win32',
}, async () => {
  const ffmpeg = confined('ffmpeg', 'never');
  const folders = ['data', 'data/clips', 'data/clips/one', 'data/.hidden', 'other'].map((name) =>
    path.join(directory, name),
  );
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  for (const folder of [...folders, ...folders]) await assertWritesIn(ffmpeg, folder);
  const [data, , , hidden, other] = folders;
  assert.deepEqual(readFileSync(calls, 'utf8').trim().split('\n'), [data, hidden, other]);
  // What one program may, another may not.
  await assert.rejects(assertWritesIn(confined('snap', 'data'), data!), EnvironmentError);
});

test('programs of packages are not tried', async () => {
  const ffmpeg: FfmpegInfo = { ...confined('package', 'data'), source: 'ffmpeg-static' };
  await assertWritesIn(ffmpeg, path.join(directory, 'data'));
});
