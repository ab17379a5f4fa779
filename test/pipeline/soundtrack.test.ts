import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { openMotionInputs } from '../../src/pipeline/motion-inputs.ts';
import { resolveOptions } from '../../src/pipeline/resolve-options.ts';
import { chirps, encodeWav, temporaryDirectory } from '../helpers/media.ts';

const LIMIT = { timeout: 600_000 };
const directory = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });

function sound(name: string, duration: number): string {
  const file = path.join(directory, name);
  writeFileSync(file, encodeWav(chirps(duration, 16000), 16000));
  return file;
}

function open(options: object) {
  return openMotionInputs(resolveOptions({ portrait: 'face.jpg', output: 'talk.mp4', ...options }), {
    ffmpeg,
    frameThread: () => {
      throw new Error('no recording is opened');
    },
    signal: new AbortController().signal,
    notice: () => {},
  });
}

test('the soundtrack is heard, the speech moves the face', LIMIT, async () => {
  const [audio, soundtrack] = [sound('voice.wav', 1), sound('mix.wav', 1.1)];
  const { sound: heard, duration, pcm } = await open({ audio, soundtrack });
  assert.deepEqual([heard?.path, duration, pcm.length], [soundtrack, 1, 16000]);
});

test('a soundtrack of another length is refused with both lengths', LIMIT, async () => {
  const [audio, soundtrack] = [sound('voice.wav', 1), sound('long.wav', 1.5)];
  await assert.rejects(open({ audio, soundtrack }), {
    code: 'INVALID_OPTION',
    message: /soundtrack: expected a recording as long as the speech \(1\.00 s\), got 1\.50 s; cut it/,
  });
});

test('an idle clip is as long as asked, and silent', LIMIT, async () => {
  const { sound: heard, duration, pcm } = await open({ idle: 2.5 });
  assert.deepEqual([heard, duration, pcm.length], [undefined, 2.5, 40000]);
});
