import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { EnvironmentError } from '../../src/errors.ts';
import { FoundFfmpegs, findFfmpeg } from '../../src/pipeline/machine-places.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 120_000 };
const windows = process.platform === 'win32' && 'a script is no program here';

test('an ffmpeg is asked once what it can do, and anew when it was gone', {
  ...LIMIT,
  skip: windows,
}, async () => {
  const folder = temporaryDirectory();
  const [program, calls] = [path.join(folder, 'ffmpeg'), path.join(folder, 'calls')];
  const real = await findFfmpeg(undefined);
  const install = (): void => {
    writeFileSync(program, `#!/bin/sh\necho call >> '${calls}'\nexec '${real.path}' "$@"\n`);
    chmodSync(program, 0o755);
  };
  const counted = (): number => readFileSync(calls, 'utf8').split('\n').length - 1;
  install();
  const ffmpegs = new FoundFfmpegs();
  const [first, second] = [await ffmpegs.find(program), await ffmpegs.find(program)];
  assert.equal(first.path, program);
  assert.equal(second, first);
  const asked = counted();
  assert.ok(asked > 0);

  rmSync(program);
  await assert.rejects(ffmpegs.find(program), EnvironmentError);
  install();
  assert.equal((await ffmpegs.find(program)).path, program, 'a failure is not kept');
  assert.equal(counted(), 2 * asked);
});

test('an ffmpeg that may not write where a video goes is refused', { ...LIMIT, skip: windows }, async () => {
  const folder = temporaryDirectory();
  const program = path.join(folder, 'ffmpeg');
  const real = await findFfmpeg(undefined);
  const refusing = `case "$*" in *trial*) echo "$0: Permission denied" >&2; exit 1;; esac`;
  writeFileSync(program, `#!/bin/sh\n${refusing}\nexec '${real.path}' "$@"\n`);
  chmodSync(program, 0o755);
  const ffmpegs = new FoundFfmpegs();
  assert.equal((await ffmpegs.find(program)).path, program);
  await assert.rejects(ffmpegs.find(program, { folder }), EnvironmentError);
});
