import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { isPartialName, partialPath, removePartials } from '../../src/files/partial-name.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const directory = temporaryDirectory();
const at = (...parts: string[]) => path.join(directory, ...parts);

test('partial names are hidden, in the same folder, different each time, and fit the file system', () => {
  const long = partialPath(`/videos/${'ä'.repeat(120)}.mp4`);
  assert.equal(path.dirname(long), '/videos');
  assert.match(path.basename(long), /^\.ä+\.[0-9a-f]{8}\.partial\.mp4$/);
  assert.ok(Buffer.byteLength(path.basename(long)) < 255);
  assert.notEqual(partialPath('/videos/a.mp4'), partialPath('/videos/a.mp4'));
});

test('partial names are known by their form', () => {
  for (const name of ['a.mp4', 'record.json', 'a', '.b.c']) {
    assert.ok(isPartialName(path.basename(partialPath(`/x/${name}`))), name);
    assert.ok(!isPartialName(name), name);
  }
  assert.ok(!isPartialName('notes.partial') && !isPartialName('.a.x.partial.mp4'));
});

test('what killed runs have left of a video goes, and nothing else does', async () => {
  mkdirSync(at('left'));
  const output = at('left', 'talk.mp4');
  const kept = [
    'talk.mp4',
    '.talk.12345678.partial.mov',
    '.talk.x.partial.mp4',
    '.talk2.12345678.partial.mp4',
  ];
  const files = [partialPath(output), partialPath(output), ...kept.map((name) => at('left', name))];
  for (const file of files) writeFileSync(file, 'x');
  await removePartials(output);
  assert.deepEqual(readdirSync(at('left')).sort(), [...kept].sort());
});

test('a name without an ending is cleared, too', async () => {
  mkdirSync(at('plain'));
  writeFileSync(partialPath(at('plain', 'notes')), '');
  writeFileSync(partialPath(at('plain', 'notes.txt')), '');
  await removePartials(at('plain', 'notes'));
  assert.deepEqual(
    readdirSync(at('plain')).map((name) => path.extname(name)),
    ['.txt'],
  );
});
