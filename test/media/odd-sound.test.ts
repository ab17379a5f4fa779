/**
 * Recordings as people have them, made here from one that is plain: what moves the mouth is compared with the plain recording,
 * and what is heard in the clip with what moves the mouth.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { CLIP_SAMPLE_RATE, readClipSound } from '../../src/media/clip-sound.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { frameCount } from '../../src/media/video-writer.ts';
import {
  availableFfmpegs,
  chirps,
  encodeWav,
  findLag,
  makeMedia,
  temporaryDirectory,
} from '../helpers/media.ts';

const LIMIT = { timeout: 600_000 };
const builds = await availableFfmpegs();
const ffmpeg = builds[0]!;
const directory = temporaryDirectory();
const RATE = 16000;
const FPS = 25;
const at = (name: string) => path.join(directory, name);
const plain = chirps(1.4, RATE);
const wav = at('plain.wav');
writeFileSync(wav, encodeWav(plain, RATE));
const make = (name: string, ...args: string[]) => makeMedia(ffmpeg, at(name), ...args);
const part = (begin: number, end: number) => ['-ss', String(begin), '-t', String(end - begin), '-i', wav];
const join = (name: string, ...files: string[]) => {
  writeFileSync(at(name), Buffer.concat(files.map((file) => readFileSync(file))));
  return at(name);
};
/** A WAV file as it comes through a pipe, whose writer cannot go back and say how long it became. */
const streamed = (file: string) => {
  const bytes = readFileSync(file);
  for (const at of [4, bytes.indexOf('data') + 4]) bytes.writeUInt32LE(0xffffffff, at);
  writeFileSync(file, bytes);
  return file;
};

interface Heard {
  readonly pcm: Float32Array;
  readonly duration: number;
  readonly frames: number;
  /** The clip's sound at the rate of `pcm`, both loudspeakers together. */
  readonly sound: Float32Array;
  readonly seconds: number;
  readonly notices: string;
}

async function read(file: string, build: FfmpegInfo, track?: number): Promise<Heard> {
  const notices: string[] = [];
  const {
    pcm,
    duration,
    track: found,
  } = await readAudio(file, {
    ...{ ffmpeg: build, track, onNotice: (notice: string) => notices.push(notice) },
  });
  const frames = frameCount(duration, FPS);
  const sound: number[] = [];
  const step = CLIP_SAMPLE_RATE / RATE;
  let count = 0;
  for await (const piece of readClipSound(found, { ffmpeg: build, duration: frames / FPS })) {
    for (let i = 0; i < piece.length / 2; i++, count++) {
      if (count % step === 0) sound.push((piece[2 * i]! + piece[2 * i + 1]!) / 2);
    }
  }
  return {
    ...{ pcm, duration, frames, sound: Float32Array.from(sound) },
    ...{ seconds: count / CLIP_SAMPLE_RATE, notices: notices.join('\n') },
  };
}

/** Cosine of the angle between two sounds: 1 for the same, however loud. */
function likeness(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb || 1);
}

function level(pcm: Float32Array, from: number, to: number): number {
  const span = pcm.subarray(Math.round(from * RATE), Math.round(to * RATE));
  return Math.sqrt(span.reduce((sum, value) => sum + value ** 2, 0) / span.length);
}

/** Where a part of the plain recording is found: seconds behind its place, −0.02 to 0.2, and how like it is there. */
function find(pcm: Float32Array, from = 0, to = 1.4): { late: number; like: number } {
  let found = { late: 0, like: -1 };
  for (let shift = -0.02 * RATE; shift <= 0.2 * RATE; shift += 2) {
    let [ab, aa, bb] = [0, 0, 0];
    // The chirps stay below 700 Hz.
    for (let i = Math.round(from * RATE); i < to * RATE; i += 8) {
      const value = pcm[i + shift] ?? 0;
      ab += plain[i]! * value;
      aa += plain[i]! ** 2;
      bb += value ** 2;
    }
    const like = ab / Math.sqrt(aa * bb || 1);
    if (like > found.like) found = { late: shift / RATE, like };
  }
  return found;
}

function assertSpeaks(heard: Heard, least = 0.98): void {
  const { like, late } = find(heard.pcm);
  assert.ok(like > least && late < 0.06, `the mouth follows something else: ${like}, ${late} s late`);
  const both = likeness(heard.pcm, heard.sound);
  assert.ok(both > least, `the clip sounds like something else: ${both}`);
  assert.equal(heard.seconds, heard.frames / FPS);
}

// Joined pieces have a codec's run-in and padding each, which is neither heard nor counted.
const a24 = make(
  'a.mp3',
  ...part(0, 0.7),
  '-ar',
  '24000',
  '-b:a',
  '64k',
  '-write_xing',
  '0',
  '-id3v2_version',
  '0',
);
const second = (name: string, ...format: string[]) =>
  make(name, ...part(0.7, 1.4), ...format, '-b:a', '64k', '-write_xing', '0', '-id3v2_version', '0');
const JOINED: readonly (readonly [string, () => string])[] = [
  ['an MP3 whose rate grows', () => join('rate.mp3', a24, second('b.mp3', '-ar', '44100'))],
  [
    'an MP3 whose rate shrinks',
    () => {
      const fast = make('fast.mp3', ...part(0, 0.7), '-ar', '44100', '-write_xing', '0');
      return join('shrinks.mp3', fast, second('slow.mp3', '-ar', '24000'));
    },
  ],
  [
    'an MP3 of whole files with their tables of contents',
    () => {
      const first = make('first.mp3', ...part(0, 0.7), '-ar', '24000');
      return join('tables.mp3', first, make('next.mp3', ...part(0.7, 1.4), '-ar', '44100'));
    },
  ],
  [
    'an MP3 of whole files of one format',
    () => {
      const files = [0, 1].map((i) => make(`one-${i}.mp3`, ...part(0.7 * i, 0.7 * (i + 1)), '-ar', '24000'));
      return join('one-format.mp3', ...files);
    },
  ],
  [
    'WAVs of one format',
    () => join('wavs.wav', ...[0, 1].map((i) => make(`w${i}.wav`, ...part(0.7 * i, 0.7 * (i + 1))))),
  ],
  [
    'FLACs of whole files',
    () => join('two.flac', ...[0, 1].map((i) => make(`f${i}.flac`, ...part(0.7 * i, 0.7 * (i + 1))))),
  ],
  [
    'WAVs of two formats',
    () =>
      join(
        'two.wav',
        make('w24.wav', ...part(0, 0.7), '-ar', '24000', '-c:a', 'pcm_s24le'),
        make('wst.wav', ...part(0.7, 1.4), '-ar', '44100', '-ac', '2'),
      ),
  ],
  [
    'WAVs that were streamed, of two formats',
    () =>
      join(
        'streamed.wav',
        streamed(make('s24.wav', ...part(0, 0.7), '-ar', '24000')),
        streamed(make('sst.wav', ...part(0.7, 1.4), '-ar', '44100', '-ac', '2')),
      ),
  ],
  [
    'an MP3 that becomes stereo',
    () => join('channels.mp3', a24, second('c.mp3', '-ar', '24000', '-ac', '2')),
  ],
  [
    'an AAC whose rate and channels change',
    () =>
      join(
        'joined.aac',
        make('a.aac', ...part(0, 0.7), '-ar', '24000'),
        make('b.aac', ...part(0.7, 1.4), '-ar', '44100', '-ac', '2'),
      ),
  ],
  [
    'a chained Ogg Vorbis',
    () =>
      join(
        'chained.ogg',
        make('a.ogg', ...part(0, 0.7), '-c:a', 'libvorbis', '-ar', '24000'),
        make('b.ogg', ...part(0.7, 1.4), '-c:a', 'libvorbis', '-ar', '44100', '-ac', '2'),
      ),
  ],
  [
    'a chained Opus',
    () =>
      join(
        'chained.opus',
        make('a.opus', ...part(0, 0.7), '-c:a', 'libopus'),
        make('b.opus', ...part(0.7, 1.4), '-c:a', 'libopus', '-ac', '2'),
      ),
  ],
];
for (const build of builds) {
  for (const [what, file] of JOINED) {
    test(`${what} is one recording without holes, with ffmpeg ${build.version}`, LIMIT, async () => {
      const heard = await read(file(), build);
      assert.ok(heard.duration > 1.37 && heard.duration < 1.44, `${heard.duration} s`);
      assert.equal(heard.seconds, heard.frames / FPS);
      // The halves one after the other.
      const [first, second] = [find(heard.pcm, 0.05, 0.65), find(heard.pcm, 0.75, 1.35)];
      assert.ok(first.like > 0.9 && first.late < 0.03, `the first half: ${first.like}, ${first.late} s late`);
      assert.ok(second.like > 0.9 && second.late < 0.04, `the second: ${second.like}, ${second.late} s late`);
      const [before, after] = [level(heard.pcm, 0.05, 0.65), level(heard.pcm, 0.85, 1.4)];
      assert.ok(after > before / 2 && after < before * 2, `${before} and ${after}`);
      for (const [begin, end, half] of [
        [0.05, 0.65, first],
        [0.75, 1.35, second],
      ] as const) {
        const { like, late } = find(heard.sound, begin, end);
        assert.ok(like > 0.9, `the clip's sound from ${begin} s on: ${like}`);
        assert.ok(Math.abs(late - half.late) < 3e-3, `lips ${half.late} s late, sound ${late} s`);
      }
      assert.doesNotMatch(heard.notices, /damaged or cut off/);
      if (/whole files|WAVs|Opus/.test(what)) {
        // Each says how long it is; older builds of ffmpeg write an Opus's last packet whole.
        const tolerance = what.includes('Opus') ? 0.02 : 2e-3;
        assert.ok(Math.abs(heard.duration - 1.4) < tolerance, `${heard.duration} s`);
        assert.doesNotMatch(heard.notices, /damaged/);
        assert.match(heard.notices, /is 2 recordings that were joined: read as one of 1\.4 s/);
      }
    });
  }

  test(
    `an estimated length is nothing that could be missing, with ffmpeg ${build.version}`,
    LIMIT,
    async () => {
      const quiet = ['-f', 'lavfi', '-t', '8', '-i', 'anullsrc=r=44100:cl=mono', '-i', wav];
      const chain = ['-filter_complex', '[0][1]concat=n=2:v=0:a=1', '-ar', '44100', '-ac', '2'];
      for (const [name, codec] of [
        ['vbr.mp3', ['-c:a', 'libmp3lame', '-q:a', '0', '-write_xing', '0', '-id3v2_version', '0']],
        ['raw.aac', ['-c:a', 'aac', '-b:a', '192k']],
      ] as const) {
        const heard = await read(make(name, ...quiet, ...chain, ...codec), build);
        assert.ok(Math.abs(heard.duration - 9.4) < 0.12, `${name}: ${heard.duration} s`);
        assert.equal(heard.notices, '', name);
      }
      // A stream that was written to a pipe has no length in its header.
      for (const size of [0, 0x7fffffff, 0x7fffffff - 36, 0xffffffff]) {
        const streamed = Buffer.from(readFileSync(wav));
        streamed.writeUInt32LE(size, 40);
        writeFileSync(at('streamed.wav'), streamed);
        const heard = await read(at('streamed.wav'), build);
        assert.deepEqual([heard.frames, heard.notices], [35, ''], `size ${size}`);
        assertSpeaks(heard);
      }
    },
  );

  test(
    `a picture that lasts longer than the sound is no damage, with ffmpeg ${build.version}`,
    LIMIT,
    async () => {
      const film = make('longer.mp4', '-f', 'lavfi', '-i', 'color=s=32x32:d=4', '-i', wav, '-c:a', 'aac');
      const heard = await read(film, build);
      assert.ok(Math.abs(heard.duration - 1.4) < 0.03, `${heard.duration} s`);
      assert.equal(heard.notices, '');
      assertSpeaks(heard, 0.95);
    },
  );

  test(`a gap in time stamps is a rest of mouth and sound, with ffmpeg ${build.version}`, LIMIT, async () => {
    const pause = "atrim=end=1.0,asetpts='PTS+if(gte(T,0.5),0.5/TB,0)'";
    const file = make('gap.webm', '-i', wav, '-af', pause, '-c:a', 'libopus', '-live', '1');
    const heard = await read(file, build);
    assert.equal(heard.frames, 38);
    for (const pcm of [heard.pcm, heard.sound]) {
      assert.ok(level(pcm, 0.55, 0.95) < 1e-4, `${level(pcm, 0.55, 0.95)} in the gap`);
      assert.ok(level(pcm, 0.1, 0.45) > 0.05 && level(pcm, 1.05, 1.45) > 0.05);
    }
  });

  test(`an edit list cuts and moves the sound, with ffmpeg ${build.version}`, LIMIT, async () => {
    const late = make(
      'late.mp4',
      '-itsoffset',
      '0.5',
      '-i',
      wav,
      '-f',
      'lavfi',
      '-i',
      'color=s=32x32:d=2',
      '-c:a',
      'aac',
    );
    const heard = await read(late, build);
    assert.ok(Math.abs(heard.duration - 1.9) < 0.05, `${heard.duration} s`);
    assert.ok(level(heard.sound, 0, 0.45) < 1e-3 && level(heard.pcm, 0, 0.45) < 1e-3);
    assert.ok(Math.abs(findLag(plain, heard.pcm, 9000) - 8000) < 20);
  });

  test(`channels that cancel each other speak, with ffmpeg ${build.version}`, LIMIT, async () => {
    const heard = await read(make('opposed.wav', '-i', wav, '-af', 'pan=stereo|c0=c0|c1=-1*c0'), build);
    assert.equal(heard.frames, 35);
    assertSpeaks(heard);
    assert.ok(Math.abs(level(heard.pcm, 0, 1.4) / level(plain, 0, 1.4) - 1) < 0.01);
    assert.match(heard.notices, /two channels that cancel each other/);
  });

  test(`of surround sound the centre speaks, with ffmpeg ${build.version}`, LIMIT, async () => {
    const mix =
      '[0]apad,atrim=end=1.4,aresample=48000[c];[1]volume=0.9,asplit=4[a][b][d][e];' +
      'anullsrc=r=48000:cl=mono,atrim=end=1.4[l];' +
      '[a][b][c][l][d][e]join=inputs=6:channel_layout=5.1:map=0.0-FL|1.0-FR|2.0-FC|3.0-LFE|4.0-BL|5.0-BR';
    const inputs = ['-i', wav, '-f', 'lavfi', '-i', 'sine=f=220:r=48000:d=1.4'];
    const heard = await read(make('surround.wav', ...inputs, '-filter_complex', mix), build);
    const voice = find(heard.pcm).like;
    assert.ok(voice > 0.97, `the mouth follows the music: ${voice}`);
    assert.ok(find(heard.sound).like > 0.1, 'the voice is in the clip');
  });

  test(
    `of several tracks the default one speaks, or the chosen one, with ffmpeg ${build.version}`,
    LIMIT,
    async () => {
      const inputs = [
        '-f',
        'lavfi',
        '-t',
        '1.4',
        '-i',
        'anullsrc=r=16000:cl=mono',
        '-i',
        wav,
        '-map',
        '0:a',
        '-map',
        '1:a',
      ];
      const flags = ['-c:a', 'flac', '-disposition:a:0', '0', '-disposition:a:1', 'default'];
      const file = make('tracks.mkv', ...inputs, ...flags);
      const heard = await read(file, build);
      assertSpeaks(heard);
      assert.match(
        heard.notices,
        /tracks\.mkv has 2 sound tracks \(1: flac.*; 2: flac.*, default\): number 2 is used/,
      );
      const first = await read(file, build, 1);
      assert.ok(level(first.pcm, 0, 1.4) === 0 && level(first.sound, 0, 1.4) === 0);
      assert.match(first.notices, /is silent/);
      assertSpeaks(await read(file, build, 2));
      await assert.rejects(read(file, build, 3), /expected sound track 3, .*got a file with 2 \(1: flac/);
    },
  );

  test(`telephone formats speak, with ffmpeg ${build.version}`, LIMIT, async () => {
    for (const [name, ...options] of [
      ['law.wav', '-c:a', 'pcm_mulaw', '-ar', '8000'],
      ['alaw.wav', '-c:a', 'pcm_alaw', '-ar', '8000'],
      ['g722.wav', '-c:a', 'g722', '-ar', '16000'],
      ['ima.wav', '-c:a', 'adpcm_ima_wav', '-ar', '8000'],
      ['note.au', '-c:a', 'pcm_mulaw', '-ar', '8000'],
    ] as const) {
      const heard = await read(make(name, '-i', wav, ...options), build);
      assert.ok(Math.abs(heard.duration - 1.4) < 0.14, `${name}: ${heard.duration} s`);
      assertSpeaks(heard, 0.93);
      assert.equal(heard.notices, '', name);
    }
  });

  test(`floats that were not scaled are scaled, with ffmpeg ${build.version}`, LIMIT, async () => {
    for (const scale of [32768, 2 ** 31]) {
      writeFileSync(at('unscaled.wav'), floatWav(plain.map((value) => value * scale)));
      const heard = await read(at('unscaled.wav'), build);
      assertSpeaks(heard);
      assert.ok(Math.abs(level(heard.pcm, 0, 1.4) / level(plain, 0, 1.4) - 1) < 1e-3);
      assert.ok(heard.sound.every((value) => Math.abs(value) <= 1));
      assert.match(heard.notices, /has samples up to .*: scaled by/);
    }
  });

  test(`samples that are no numbers are silence, with ffmpeg ${build.version}`, LIMIT, async () => {
    const holed = plain.slice();
    holed[8000] = Number.NaN;
    holed[8001] = Number.POSITIVE_INFINITY;
    writeFileSync(at('nan.wav'), floatWav(holed));
    const heard = await read(at('nan.wav'), build);
    assertSpeaks(heard);
    assert.ok(heard.pcm.every(Number.isFinite) && heard.sound.every(Number.isFinite));
    assert.equal(heard.pcm[8000], 0);
    assert.match(heard.notices, /no numbers \(NaN or infinity\), the first at 0\.50 s: taken for silence/);
  });

  test(`an offset changes neither level nor voice, with ffmpeg ${build.version}`, LIMIT, async () => {
    writeFileSync(at('offset.wav'), floatWav(plain.map((value) => 0.4 + value)));
    const heard = await read(at('offset.wav'), build);
    assertSpeaks(heard);
    assert.ok(Math.abs(level(heard.pcm, 0, 1.4) / level(plain, 0, 1.4) - 1) < 0.02);
  });
}

test('very quiet speech moves the mouth as loud speech does, and noise does not', LIMIT, async () => {
  for (const volume of [0.01, 0.001, 0.0004]) {
    writeFileSync(
      at('quiet.wav'),
      encodeWav(
        plain.map((value) => value * volume),
        RATE,
      ),
    );
    const heard = await read(at('quiet.wav'), ffmpeg);
    const voice = likeness(plain, heard.pcm);
    assert.ok(voice > 0.95, `${volume}: ${voice}`);
    assert.ok(Math.max(...heard.pcm) > 0.2, `${volume}: ${Math.max(...heard.pcm)}`);
    assert.ok(
      heard.sound.every((value) => Math.abs(value) < 0.01),
      'the clip stays as quiet',
    );
    assert.match(heard.notices, /is very quiet \(-\d+ dB at its loudest\)/);
  }
  const noise = plain.map((_, i) => 5e-4 * Math.sin(i * i));
  writeFileSync(at('noise.wav'), encodeWav(noise, RATE));
  const heard = await read(at('noise.wav'), ffmpeg);
  assert.ok(heard.pcm.every((value) => Math.abs(value) < 1e-3));
  assert.match(heard.notices, /is silent/);
});

test('colours that are forced on ffmpeg’s log change nothing', LIMIT, async () => {
  writeFileSync(at('no.wav'), 'this is no sound');
  const mute = make('mute.mp4', '-f', 'lavfi', '-i', 'testsrc2=s=64x64:r=10', '-t', '1');
  const messages = async () => [
    await read(at('no.wav'), ffmpeg).catch(String),
    await read(mute, ffmpeg).catch(String),
    (await read(wav, ffmpeg)).notices,
  ];
  const without = await messages();
  process.env.AV_LOG_FORCE_COLOR = '1';
  try {
    assert.deepEqual(await messages(), without);
  } finally {
    delete process.env.AV_LOG_FORCE_COLOR;
  }
  assert.match(String(without[0]), /Invalid data found/);
  assert.match(String(without[1]), /one without an audio stream/);
});

/** A WAV file of float32 samples, mono. */
function floatWav(samples: Float32Array): Buffer {
  const head = encodeWav(new Float32Array(0), RATE);
  head.writeUInt16LE(3, 20);
  head.writeUInt32LE(RATE * 4, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(32, 34);
  head.writeUInt32LE(36 + samples.length * 4, 4);
  head.writeUInt32LE(samples.length * 4, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}
