import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  isPartialName,
  partialPath,
  removeAllPartials,
  removePartials,
} from '../../src/files/partial-name.ts';
import { currentOwner } from '../../src/files/thread-owner.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { LOADER, moduleUrl } from '../helpers/run-program.ts';

const directory = temporaryDirectory();
const at = (...parts: string[]) => path.join(directory, ...parts);
const MODULE = moduleUrl('src/files/partial-name.ts');

/** A folder of that name, and in it a partial file of each output, left by a process that has ended. */
function leftBehind(folder: string, ...outputs: string[]): string[] {
  mkdirSync(at(folder), { recursive: true });
  const targets = JSON.stringify(outputs.map((output) => at(folder, output)));
  const program = `
    const { partialPath } = await import(${JSON.stringify(MODULE)});
    const { writeFileSync } = await import('node:fs');
    const files = ${targets}.map(partialPath);
    for (const file of files) writeFileSync(file, 'x');
    process.stdout.write(JSON.stringify(files));`;
  const child = spawnSync(process.execPath, [...LOADER, '--input-type=module', '-e', program]);
  assert.equal(child.status, 0, String(child.stderr));
  return JSON.parse(String(child.stdout));
}

test('partial names are hidden, in the same folder, different each time, and short enough for every file system', () => {
  for (const name of [
    'a',
    'ä'.repeat(120),
    '語'.repeat(84),
    'x'.repeat(250),
    `${'e'.repeat(100)}.${'f'.repeat(140)}`,
  ]) {
    const partial = partialPath(`/videos/${name}.mp4`);
    assert.equal(path.dirname(partial), '/videos');
    assert.match(path.basename(partial), /^\..+\.partial\.mp4$/);
    assert.ok(Buffer.byteLength(path.basename(partial)) <= 143, path.basename(partial));
    assert.notEqual(partialPath(`/videos/${name}.mp4`), partial);
  }
  const ending = path.basename(partialPath(`/videos/a.${'e'.repeat(200)}`));
  assert.ok(Buffer.byteLength(ending) <= 143 && ending.endsWith('.partial'), ending);
});

test('partial names are known by their form', () => {
  for (const name of ['a.mp4', 'record.json', 'a', '.b.c']) {
    assert.ok(isPartialName(path.basename(partialPath(`/x/${name}`))), name);
    assert.ok(!isPartialName(name), name);
  }
  for (const name of ['notes.partial', '.a.x.partial.mp4', '.a.12345678.partial.mp4']) {
    assert.ok(!isPartialName(name), name);
  }
});

test('what killed runs have left of a video goes, and nothing else does', async () => {
  const kanji = '顔'.repeat(40);
  const [one, , other] = leftBehind(
    'left',
    'talk.mp4',
    'talk.mp4',
    'talk.mov',
    `${kanji}1.mp4`,
    `${kanji}2.mp4`,
  );
  writeFileSync(at('left', 'talk.mp4'), 'x');
  writeFileSync(at('left', '.talk.12345678.partial.mp4'), 'x');
  assert.equal(readdirSync(at('left')).length, 7);
  await removePartials(at('left', 'talk.mp4'));
  const left = readdirSync(at('left'));
  assert.equal(left.length, 5);
  assert.ok(!left.includes(path.basename(one!)) && left.includes(path.basename(other!)));
  // Names that begin with the same 120 bytes are different files.
  await removePartials(at('left', `${kanji}1.mp4`));
  assert.equal(readdirSync(at('left')).length, 4);
  await removeAllPartials(at('left'));
  assert.deepEqual(readdirSync(at('left')).sort(), ['.talk.12345678.partial.mp4', 'talk.mp4']);
});

test('what is still written stays: by this process, and by another one of any name of file', async () => {
  mkdirSync(at('running'));
  const output = at('running', 'talk.mp4');
  writeFileSync(partialPath(output), 'x');
  await removePartials(output);
  await removeAllPartials(at('running'));
  assert.equal(readdirSync(at('running')).length, 1);
});

test('what another machine writes stays, until it has not changed for a day', async () => {
  mkdirSync(at('elsewhere'));
  const output = at('elsewhere', 'talk.mp4');
  const own = partialPath(output);
  const elsewhere = own.replace(/[0-9a-f]{8}(?=\.partial)/, '00000000');
  assert.notEqual(elsewhere, own);
  writeFileSync(elsewhere, 'x');
  await removePartials(output);
  assert.equal(readdirSync(at('elsewhere')).length, 1);
  const before = Date.now() / 1000 - 25 * 3600;
  utimesSync(elsewhere, before, before);
  await removePartials(output);
  assert.deepEqual(readdirSync(at('elsewhere')), []);
});

test('a partial name says which thread writes it', () => {
  const { pid, thread, started } = currentOwner();
  assert.ok(partialPath('/videos/a.mp4').includes(`-${pid}-${thread}-${started}-`));
});

test('a name without an ending is cleared, too', async () => {
  leftBehind('plain', 'notes', 'notes.txt');
  await removePartials(at('plain', 'notes'));
  assert.deepEqual(
    readdirSync(at('plain')).map((name) => path.extname(name)),
    ['.txt'],
  );
});
