import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type FfmpegInfo, locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { readTimedFrames } from '../../src/media/read-timed-frames.ts';

const LIMIT = { timeout: 600_000 };
const run = promisify(execFile);
let folder: string;
let ffmpeg: FfmpegInfo;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'timed-frames-'));
  ffmpeg = await locateFfmpeg({ env: process.env });
});
after(() => rm(folder, { recursive: true, force: true }));

const X264 = ['-c:v', 'libx264', '-crf', '4', '-pix_fmt', 'yuv420p'];
for (const [what, name, options] of [
  ['BT.601', '601.mp4', [...X264, '-vf', 'scale=out_color_matrix=bt601', '-colorspace', 'smpte170m']],
  ['BT.709', '709.mp4', [...X264, '-vf', 'scale=out_color_matrix=bt709', '-colorspace', 'bt709']],
  ['the full range', 'full.mkv', ['-c:v', 'mjpeg', '-q:v', '1', '-pix_fmt', 'yuvj420p']],
] as const) {
  test(`colours of a film in ${what} are those that ffmpeg gives them`, LIMIT, async () => {
    const film = path.join(folder, name);
    // Soft colours: where chroma changes from pixel to pixel, how it is enlarged decides.
    const colours = "geq=r='255*X/W':g='255*Y/H':b='255*(1-X/W)*(1-Y/H)+20*N'";
    const source = `color=black:s=362x242:r=5:d=1,format=gbrp,${colours}`;
    await run(ffmpeg.path, ['-v', 'error', '-f', 'lavfi', '-i', source, ...options, film]);
    const expected: Uint8Array[] = [];
    for await (const { data } of readFrames(film, { ffmpeg })) expected.push(data);
    let frames = 0;
    for await (const { data, width, height, time } of readTimedFrames(film, {
      ...{ ffmpeg, maxSide: 640, maxRate: 60 },
    })) {
      assert.deepEqual([width, height], [362, 242]);
      assert.ok(Math.abs(time - frames / 5) < 1e-3);
      let sum = 0;
      data.forEach((value, i) => {
        sum += Math.abs(value - expected[frames]![i]!);
      });
      assert.ok(sum / data.length < 1.2, `frame ${frames}: ${sum / data.length} levels`);
      frames++;
    }
    assert.equal(frames, 5);
  });
}

test('pictures that wait for a slow reader are not written over', LIMIT, async () => {
  const film = path.join(folder, 'grey.mp4');
  // Each picture has a grey of its own.
  const source = "color=black:s=32x32:r=20:d=2,geq=lum='16+5*N':cb=128:cr=128";
  await run(ffmpeg.path, ['-v', 'error', '-f', 'lavfi', '-i', source, ...X264, film]);
  let frame = 0;
  for await (const { data } of readTimedFrames(film, { ffmpeg, maxSide: 640, maxRate: 60 })) {
    const begin = data[1000]!;
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(data[1000], begin);
    assert.ok(Math.abs(begin - (5 * frame * 255) / 219) < 3, `frame ${frame}: ${begin}`);
    frame++;
  }
  assert.equal(frame, 40);
});

test('a reader that stops early ends the program that decodes', LIMIT, async () => {
  const film = path.join(folder, 'grey.mp4');
  for await (const { time } of readTimedFrames(film, { ffmpeg, maxSide: 640, maxRate: 60 })) {
    if (time > 0.1) break;
  }
});
