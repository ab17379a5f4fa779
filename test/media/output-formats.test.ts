import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import sharp from 'sharp';
import {
  chooseEncoders,
  findOutputFormat,
  OUTPUT_ENCODERS,
  outputFormatOf,
} from '../../src/media/output-formats.ts';
import { prepareOutput, resolveOutput } from '../../src/media/prepare-output.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import type { VideoFrame } from '../../src/media/video-frame.ts';
import { VideoWriter, type VideoWriterOptions } from '../../src/media/video-writer.ts';
import { availableFfmpegs, chirps, encodeWav, temporaryDirectory } from '../helpers/media.ts';

const ffmpegs = await availableFfmpegs();
const directory = temporaryDirectory();
const WIDTH = 64;
const HEIGHT = 48;
const FRAMES = 12;
const audioPath = path.join(directory, 'sound.wav');
writeFileSync(audioPath, encodeWav(chirps(0.4, 16000), 16000));
const { track } = await readAudio(audioPath, { ffmpeg: ffmpegs[0]! });

/** Skin, lips, hair, a screen's green and greys: the colours of portraits and of what is put behind them. */
const PATCHES = [
  [224, 172, 140],
  [96, 62, 44],
  [176, 84, 88],
  [0, 177, 64],
  [32, 32, 36],
  [128, 128, 128],
  [240, 240, 236],
  [60, 90, 160],
] as const;
/** Colours survive the way through a file within this many levels. */
const COLOUR_TOLERANCE = 3;

/** Eight patches that move a little from frame to frame; the left half is half transparent where there is a fourth channel. */
function patches(index: number, channels: 3 | 4 = 3): VideoFrame {
  const data = new Uint8Array(WIDTH * HEIGHT * channels);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const patch = PATCHES[Math.floor(x / 16) + 4 * Math.floor(y / 24)]!;
      const at = (y * WIDTH + x) * channels;
      data.set(patch, at);
      // A dot that moves, so that no frame is as the one before.
      if (y === 0 && x === index * 2) data.fill(255, at, at + 3);
      if (channels === 4) data[at + 3] = x < WIDTH / 2 ? 128 : 255;
    }
  }
  return { data, width: WIDTH, height: HEIGHT };
}

async function write(options: Partial<VideoWriterOptions> & { outputPath: string }): Promise<void> {
  const writer = await VideoWriter.open({
    ...{ ffmpeg: ffmpegs[0]!, width: WIDTH, height: HEIGHT, fps: 30, frames: FRAMES, crf: 4, ...options },
  });
  try {
    for (let i = 0; i < FRAMES; i++) await writer.write(patches(i, options.transparent ? 4 : 3));
    await writer.finish();
  } finally {
    await writer.dispose();
  }
}

/** The first frame, decoded by ffmpeg to RGB and opacity, or by sharp for what ffmpeg does not read. */
async function firstFrame(file: string, ffmpeg = ffmpegs[0]!): Promise<Buffer> {
  if (file.endsWith('.webp')) return sharp(file).ensureAlpha().raw().toBuffer();
  const decoder = file.endsWith('.webm') ? ['-c:v', 'libvpx-vp9'] : [];
  const scale = ['-vf', 'scale=flags=accurate_rnd+full_chroma_int', '-frames:v', '1'];
  const args = ['-v', 'error', ...decoder, '-i', file, ...scale, '-f', 'rawvideo', '-pix_fmt', 'rgba', '-'];
  return execFileSync(ffmpeg.path, args);
}

/** The largest difference in the middles of the patches. */
function colourError(rgba: Buffer): number {
  let worst = 0;
  for (const [i, patch] of PATCHES.entries()) {
    const at = ((24 * Math.floor(i / 4) + 12) * WIDTH + 16 * (i % 4) + 8) * 4;
    for (let c = 0; c < 3; c++) worst = Math.max(worst, Math.abs(rgba[at + c]! - patch[c]!));
  }
  return worst;
}

for (const ffmpeg of ffmpegs) {
  for (const [name, codec, sound] of [
    ['talk.mp4', 'h264', 'aac'],
    ['talk.m4v', 'h264', 'aac'],
    ['talk.mov', 'h264', 'aac'],
    ['talk.webm', 'vp9', 'opus'],
    ['talk.gif', 'gif', undefined],
    ['talk.webp', undefined, undefined],
    ['frames/', undefined, undefined],
  ] as const) {
    test(`${name} is written with its colours by ffmpeg ${ffmpeg.version}`, async () => {
      const folder = path.join(directory, `${ffmpeg.version}-${name.replace(/\W/g, '')}`);
      mkdirSync(folder);
      const output = resolveOutput(folder, name);
      await write({ ffmpeg, outputPath: output, fps: 30000 / 1001, sound: track });
      assert.deepEqual(readdirSync(folder), [path.basename(output)]);
      const file = name.endsWith('/') ? path.join(output, '000001.png') : output;
      const tolerance = name === 'talk.gif' ? 12 : COLOUR_TOLERANCE; // a palette of what is seen
      const error = colourError(await firstFrame(file));
      assert.ok(error <= tolerance, `${error} levels`);
      if (name === 'frames/') assert.equal(readdirSync(output).length, FRAMES);
      if (codec === undefined) return;
      const { video, audio } = await probeMedia(output, { ffmpeg });
      assert.deepEqual([video?.codec, audio?.codec], [codec, sound]);
      assert.equal(video?.frames, FRAMES);
      if (audio === undefined || video === undefined) return;
      const frame = 1001 / 30000;
      assert.ok(Math.abs(video.fps - 30000 / 1001) < 0.002 * 30, `${video.fps} frames/s`);
      assert.ok(Math.abs(video.startTime) < 0.002 && Math.abs(audio.startTime) < 0.002);
      const apart = Math.abs(video.duration - audio.duration);
      assert.ok(apart < frame, `picture and sound end ${apart} s apart`);
    });
  }

  for (const name of ['talk.mov', 'talk.webm', 'talk.webp', 'frames/']) {
    test(`${name} is transparent by ffmpeg ${ffmpeg.version}`, async () => {
      const folder = path.join(directory, `clear-${ffmpeg.version}-${name.replace(/\W/g, '')}`);
      mkdirSync(folder);
      const output = resolveOutput(folder, name);
      await write({ ffmpeg, outputPath: output, sound: track, transparent: true });
      const rgba = await firstFrame(name.endsWith('/') ? path.join(output, '000001.png') : output);
      assert.ok(colourError(rgba) <= 2 * COLOUR_TOLERANCE, `${colourError(rgba)} levels`);
      const opacity = (x: number) => rgba[(12 * WIDTH + x) * 4 + 3]!;
      assert.ok(Math.abs(opacity(8) - 128) <= 3 && opacity(56) >= 252, `${opacity(8)}, ${opacity(56)}`);
    });
  }
}

test('an MP4 says that its colours are BT.709, and its rate as a fraction', async () => {
  const output = path.join(directory, 'tagged.mp4');
  await write({ outputPath: output, fps: 30000 / 1001 });
  let log = '';
  try {
    execFileSync(ffmpegs[0]!.path, ['-hide_banner', '-i', output], { stdio: 'pipe' });
  } catch (error) {
    log = String((error as { stderr: Buffer }).stderr);
  }
  assert.match(log, /yuv420p\(tv, bt709/);
  assert.match(log, /29\.97 fps, 29\.97 tbr, 30k tbn/);
});

test('a fragmented MP4 goes to a stream, which stays open', async () => {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await write({ outputPath: '-', stream, sound: track });
  assert.ok(!stream.writableEnded);
  const file = path.join(directory, 'streamed.mp4');
  writeFileSync(file, Buffer.concat(chunks));
  const bytes = Buffer.concat(chunks);
  assert.ok(bytes.indexOf('moof') > bytes.indexOf('moov'), 'fragments follow the head');
  const { video, audio } = await probeMedia(file, { ffmpeg: ffmpegs[0]! });
  assert.deepEqual([video?.frames, audio?.codec], [FRAMES, 'aac']);
});

test('a reader that goes ends the encoder with an error that says so', async () => {
  const stream = new PassThrough({ highWaterMark: 16 });
  const gone = new Error('gone');
  stream.on('error', () => {});
  const writing = write({ outputPath: '-', stream });
  stream.destroy(gone);
  await assert.rejects(writing, { code: 'MEDIA', message: /reader of standard output/ });
});

test('a folder of frames is replaced only by force, and one with other files never', async () => {
  const folder = path.join(directory, 'again');
  mkdirSync(folder);
  const output = resolveOutput(folder, 'shots/');
  await write({ outputPath: output });
  await assert.rejects(prepareOutput(output), { code: 'MEDIA', message: /expected a new file/ });
  assert.equal(await prepareOutput(output, { force: true }), output);
  await write({ outputPath: output, force: true });
  assert.equal(readdirSync(output).length, FRAMES);
  assert.deepEqual(readdirSync(folder), ['shots']);
  writeFileSync(path.join(output, 'notes.txt'), 'mine');
  await assert.rejects(prepareOutput(output, { force: true }), { message: /PNGs alone/ });
  await assert.rejects(write({ outputPath: output }), { code: 'MEDIA', message: /appeared meanwhile/ });
  assert.ok(readdirSync(output).includes('notes.txt'));
});

test('a missing encoder is named with what the ffmpeg has and can write', () => {
  const poor = { path: '/opt/ffmpeg', version: '7.0', encoders: ['libx264', 'aac', 'gif'] };
  assert.throws(() => chooseEncoders('talk.webm', poor), {
    code: 'ENVIRONMENT',
    message:
      /talk\.webm: expected .* the encoder libvpx-vp9 and libopus or libvorbis, got \/opt\/ffmpeg \(7\.0\), which has libx264, aac, gif and writes \.mp4, \.m4v, \.mov, \.gif, -\./,
  });
  assert.throws(() => chooseEncoders('talk.mov', poor, true), {
    message: /encoder prores_ks.* and writes nothing with transparency\./,
  });
  const better = { ...poor, encoders: [...poor.encoders, 'libwebp_anim', 'png'] };
  assert.throws(() => chooseEncoders('talk.mov', better, true), {
    message: /writes \.webp, \/ with transparency\./,
  });
  assert.throws(() => chooseEncoders('talk.mp4', poor, true), {
    code: 'INVALID_OPTION',
    message: /expected one of \.mov, \.webm, \.webp, \/ \(a folder of PNGs\) for transparency, got \.mp4/,
  });
});

test('the kind of an output follows from its name', () => {
  assert.equal(outputFormatOf('a/TALK.MP4').endings[0], '.mp4');
  assert.equal(findOutputFormat('frames/')?.place, 'folder');
  assert.equal(findOutputFormat('-')?.place, 'stream');
  for (const name of ['talk', 'talk.avi', 'folder.mp4/talk', '.mp4x']) {
    assert.equal(findOutputFormat(name), undefined, name);
  }
  assert.equal(new Set(OUTPUT_ENCODERS).size, OUTPUT_ENCODERS.length);
});
