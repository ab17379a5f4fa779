import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readInputWords } from '../../src/cli/input-words.ts';

const LIMIT = { timeout: 120_000 };
const folder = mkdtempSync(path.join(os.tmpdir(), 'words-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

/** A file that begins with these bytes. */
function file(name: string, head: string): string {
  const place = path.join(folder, name);
  writeFileSync(place, Buffer.from(head.padEnd(600, '\0'), 'latin1'));
  return place;
}

test(
  'a picture and a recording are recognised by what they hold, in any order, whatever they are called',
  LIMIT,
  () => {
    const portrait = file('one', '\xff\xd8\xff');
    const audio = file('two.jpg', 'RIFF....WAVE');
    for (const words of [
      [portrait, audio],
      [audio, portrait],
    ]) {
      const { options, error } = readInputWords(words, {}, 'animate');
      assert.equal(error, undefined);
      assert.deepEqual(options, { portrait, audio });
    }
  },
);

test(
  'names that lead nowhere yet are recognised by their endings, so that the message names the file',
  LIMIT,
  () => {
    const { options } = readInputWords(['nowhere/face.JPG', 'nowhere/speech.m4a'], {}, 'animate');
    assert.deepEqual(options, { portrait: 'nowhere/face.JPG', audio: 'nowhere/speech.m4a' });
  },
);

test('a container of sound and of film alike is what its name says', LIMIT, () => {
  const sound = file('voice.m4a', '....ftypM4A ');
  assert.deepEqual(readInputWords([sound], {}, 'animate').options, { audio: sound });
  const film = file('talk.mp4', '....ftypisom');
  assert.match(readInputWords([film], {}, 'animate').error!.message, /got a film; write: .* --driving /);
});

test('what is not clear is refused with the command line that was meant', LIMIT, () => {
  const refusal = (words: readonly string[], given = {}) =>
    readInputWords(words, given, 'animate').error!.message;
  assert.equal(
    refusal(['face.jpg', 'my speech.wav', 'talk.mp4']),
    'Cannot use "face.jpg" "my speech.wav" "talk.mp4": expected options, or a picture and a recording without them, ' +
      "got a picture, a recording, a film; write: lcm-portrait animate --portrait face.jpg --audio 'my speech.wav' --output talk.mp4",
  );
  assert.match(
    refusal(['face.jpg', 'other.png']),
    /write: lcm-portrait animate --portrait face.jpg --… other.png --output …$/,
  );
  assert.match(
    refusal(['face.jpg'], { portrait: 'a.jpg', output: 'b.mp4' }),
    /^Cannot use "face.jpg": expected options, got a word that belongs to none$/,
  );
  assert.match(
    refusal(['hello', 'face.jpg']),
    /got a word that is no file, a picture; write: .* --… hello --portrait face.jpg/,
  );
  assert.match(refusal([file('notes.txt', 'hello'), 'face.jpg']), /got a file of another kind, a picture; /);
});
