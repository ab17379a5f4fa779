/** Sound that comes through a pipe. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { spoolPipe } from '../../src/cli/spool-pipe.ts';
import { MediaError } from '../../src/errors.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { withTemporary } from '../helpers/with-temporary.ts';

const OPTIONS = { timeout: 120_000, skip: process.platform === 'win32' && 'Windows has no such files' };
const folder = temporaryDirectory();
const never = new AbortController().signal;

function makePipe(name: string): string {
  const pipe = path.join(folder, name);
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  return pipe;
}

test(
  'what comes through a pipe is stored, and removed after use; files stay where they are',
  OPTIONS,
  async () => {
    const pipe = makePipe('speech.wav');
    const place = path.join(folder, 'tmp');
    mkdirSync(place);
    const [stored] = await Promise.all([
      withTemporary(place, () => spoolPipe(pipe, never)),
      writeFile(pipe, 'the sound'),
    ]);
    assert.equal(path.basename(stored.path), 'speech.wav');
    assert.equal(readFileSync(stored.path, 'utf8'), 'the sound');
    await stored.dispose();
    assert.deepEqual(readdirSync(place), []);

    const file = path.join(folder, 'file.wav');
    writeFileSync(file, 'the sound');
    const kept = await spoolPipe(file, never);
    await kept.dispose();
    assert.equal(kept.path, file);
    assert.ok(existsSync(file));
  },
);

for (const [what, place] of [
  ['is missing', path.join(folder, 'missing')],
  ['cannot be written', process.execPath],
] as const) {
  test(
    `a pipe needs a folder for temporary files: one that ${what} is named, with the way out`,
    OPTIONS,
    async () => {
      const pipe = makePipe(`${what}.wav`);
      await assert.rejects(
        withTemporary(place, () => spoolPipe(pipe, never)),
        (error) => {
          assert.ok(error instanceof MediaError);
          assert.ok(error.message.includes(`can be stored in ${place}, got `), error.message);
          assert.match(error.message, /; set TMPDIR to a folder with room$/);
          return true;
        },
      );
    },
  );
}
