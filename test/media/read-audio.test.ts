import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { MediaError } from '../../src/errors.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import {
  availableFfmpegs,
  chirps,
  encodeWav,
  findLag,
  makeMedia,
  temporaryDirectory,
} from '../helpers/media.ts';

const ffmpegs = await availableFfmpegs();
const ffmpeg = ffmpegs[0]!;
const directory = temporaryDirectory();
const SAMPLE_RATE = 16000;
const DURATION = 1.5;
const speech = chirps(DURATION, SAMPLE_RATE);

function file(name: string, content: string | Uint8Array): string {
  const target = path.join(directory, name);
  writeFileSync(target, content);
  return target;
}

const wav = file('speech.wav', encodeWav(speech, SAMPLE_RATE));

for (const build of ffmpegs) {
  test(`16 kHz mono comes out as it is stored, with ffmpeg ${build.version}`, async () => {
    const { pcm, sampleRate, duration } = await readAudio(wav, { ffmpeg: build });
    assert.deepEqual([sampleRate, duration, pcm.length], [SAMPLE_RATE, DURATION, speech.length]);
    const worst = speech.reduce((max, value, i) => Math.max(max, Math.abs(value - pcm[i]!)), 0);
    assert.ok(worst <= 1 / 32767, `${worst} away`);
  });

  for (const extension of ['mp3', 'm4a', 'flac', 'ogg', 'mp4']) {
    test(`${extension} has no lag, with ffmpeg ${build.version}`, async () => {
      const picture = extension === 'mp4' ? ['-f', 'lavfi', '-i', 'color=s=32x32:d=1.5'] : [];
      const options = extension === 'ogg' ? ['-c:a', 'libvorbis'] : [];
      const name = path.join(directory, `${build.version}.${extension}`);
      makeMedia(ffmpeg, name, '-i', wav, ...picture, ...options, '-ar', '44100', '-ac', '2');
      const { pcm, duration } = await readAudio(name, { ffmpeg: build });
      assert.ok(Math.abs(duration - DURATION) < 0.03, `${duration} s`);
      const lag = findLag(speech, pcm, 600);
      assert.ok(Math.abs(lag) <= 4, `${lag} samples`);
    });
  }

  test(`channels are averaged, with ffmpeg ${build.version}`, async () => {
    const stereo = makeMedia(
      build,
      path.join(directory, `stereo-${build.version}.wav`),
      '-i',
      wav,
      '-af',
      'pan=stereo|c0=c0|c1=c0',
    );
    const { pcm } = await readAudio(stereo, { ffmpeg: build });
    const peak = (values: Float32Array) => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    assert.ok(Math.abs(peak(pcm) - peak(speech)) < 1e-3, `${peak(pcm)} instead of ${peak(speech)}`);
  });

  test(`a track that starts late begins with silence, with ffmpeg ${build.version}`, async () => {
    const late = path.join(directory, `late-${build.version}.mp4`);
    makeMedia(
      ffmpeg,
      late,
      '-f',
      'lavfi',
      '-i',
      'color=s=32x32:d=2.5',
      '-itsoffset',
      '0.5',
      '-i',
      wav,
      '-c:a',
      'aac',
    );
    const { pcm, duration } = await readAudio(late, { ffmpeg: build });
    // Two AAC frames of padding, which an edit list of a late track does not cut.
    assert.ok(Math.abs(duration - 2) < 0.05, `${duration} s`);
    const lag = findLag(speech, pcm, 9000);
    assert.ok(Math.abs(lag - 8000) < 20, `${lag} samples`);
  });

  test(`a cut-off mp3 gives what is there, with a notice, with ffmpeg ${build.version}`, async () => {
    const whole = makeMedia(ffmpeg, path.join(directory, 'whole.mp3'), '-i', wav, '-b:a', '64k');
    const bytes = readFileSync(whole);
    const cut = file('cut.mp3', bytes.subarray(0, bytes.length / 2));
    const notices: string[] = [];
    const { duration } = await readAudio(cut, { ffmpeg: build, onNotice: (notice) => notices.push(notice) });
    assert.ok(duration > 0.4 && duration < 1.2, `${duration} s`);
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /cut\.mp3 is damaged or cut off/);
  });
}

test('silence is fine, with a notice', async () => {
  const notices: string[] = [];
  const silent = file('silent.wav', encodeWav(new Float32Array(1600), SAMPLE_RATE));
  const { pcm } = await readAudio(silent, { ffmpeg, onNotice: (notice) => notices.push(notice) });
  assert.equal(pcm.length, 1600);
  assert.match(notices.join('\n'), /is silent/);
});

test('a file whose name looks like an option or a protocol is read', async () => {
  for (const name of ['-i.wav', 'http:x%20.wav', 'a b,c;[d].wav']) {
    const { duration } = await readAudio(file(name, readFileSync(wav)), { ffmpeg });
    assert.equal(duration, DURATION);
  }
});

mkdirSync(path.join(directory, 'folder.wav'));
const nan = encodeWav(new Float32Array(800), SAMPLE_RATE);
// IEEE float samples, all bits set: NaN.
nan.writeUInt16LE(3, 20);
nan.writeUInt16LE(32, 34);
nan.writeUInt16LE(4, 32);
nan.fill(0xff, 44);

const BAD: readonly (readonly [what: string, path: string, got: RegExp])[] = [
  ['a missing file', path.join(directory, 'none.wav'), /expected a file, got nothing at this path$/],
  ['a name in Latin-1', path.join(directory, 'caf\ufffd.wav'), /got a name that is not UTF-8; rename it$/],
  ['a folder', path.join(directory, 'folder.wav'), /expected a file, got a folder$/],
  ['an empty file', file('empty.wav', ''), /expected a file, got one of zero bytes$/],
  ['a text', file('text.wav', 'dear diary\n'.repeat(100)), /expected sound that ffmpeg can decode, got /],
  [
    'a header without samples',
    file('header.wav', encodeWav(new Float32Array(0), 16000)),
    /expected sound that ffmpeg can decode/,
  ],
  ['NaN', file('nan.wav', nan), /expected finite samples, got NaN or infinity$/],
  [
    'a picture',
    makeMedia(
      ffmpeg,
      path.join(directory, 'picture.png'),
      '-f',
      'lavfi',
      '-i',
      'color=s=32x32',
      '-frames:v',
      '1',
    ),
    /expected a file with sound, got one without an audio stream$/,
  ],
];
for (const build of ffmpegs) {
  for (const [what, audioPath, message] of BAD) {
    test(`${what} is refused in one line, with ffmpeg ${build.version}`, async () => {
      await assert.rejects(readAudio(audioPath, { ffmpeg: build }), (error) => {
        assert.ok(error instanceof MediaError);
        assert.equal(error.path, audioPath);
        assert.match(error.message, message);
        assert.ok(
          error.message.startsWith(`Cannot read audio ${audioPath}: `) && !error.message.includes('\n'),
        );
        return true;
      });
    });
  }
}

test('a recording that is too long is refused without decoding all of it', async () => {
  await assert.rejects(readAudio(wav, { ffmpeg, maxDuration: 1 }), /expected at most 1 s/);
});

test('an abort rejects with its reason', async () => {
  const reason = new Error('enough');
  await assert.rejects(readAudio(wav, { ffmpeg, signal: AbortSignal.abort(reason) }), reason);
  const controller = new AbortController();
  const reading = readAudio(wav, { ffmpeg, signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await assert.rejects(reading, reason);
});
