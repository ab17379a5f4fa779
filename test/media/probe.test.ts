import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { MediaError } from '../../src/errors.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { availableFfmpegs, makeMedia, temporaryDirectory } from '../helpers/media.ts';

const ffmpegs = await availableFfmpegs();
const directory = temporaryDirectory();
const clip = makeMedia(
  ffmpegs[0]!,
  path.join(directory, 'clip.mp4'),
  ...['-f', 'lavfi', '-i', 'testsrc=s=64x48:r=24:d=1.5', '-f', 'lavfi', '-i', 'sine=r=22050:d=1.25'],
  ...['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-c:a', 'aac', '-ac', '1'],
);

for (const ffmpeg of ffmpegs) {
  test(`streams are described and counted, with ffmpeg ${ffmpeg.version}`, async () => {
    const { duration, video, audio } = await probeMedia(clip, { ffmpeg });
    assert.ok(video && audio);
    assert.ok(Math.abs(duration - 1.5) < 1e-6);
    assert.deepEqual(
      { ...video, fps: Math.round(video.fps * 1e6) / 1e6 },
      {
        codec: 'h264',
        pixelFormat: 'yuv420p',
        width: 64,
        height: 48,
        fps: 24,
        frames: 36,
        startTime: 0,
        duration: 1.5,
      },
    );
    assert.deepEqual([audio.codec, audio.sampleRate, audio.channels, audio.startTime], ['aac', 22050, 1, 0]);
    assert.ok(Math.abs(audio.duration - 1.25) < 1024 / 22050, `${audio.duration} s of sound`);
  });

  test(`frames are read at the video's rate or another, with ffmpeg ${ffmpeg.version}`, async () => {
    let frames = 0;
    for await (const frame of readFrames(clip, { ffmpeg })) {
      assert.deepEqual([frame.width, frame.height, frame.data.length], [64, 48, 64 * 48 * 3]);
      frames++;
    }
    assert.equal(frames, 36);
    frames = 0;
    for await (const _ of readFrames(clip, { ffmpeg, fps: 12 })) frames++;
    assert.ok(Math.abs(frames - 18) <= 1, `${frames} frames`);
  });

  test(`a reader that stops early ends the decoder, with ffmpeg ${ffmpeg.version}`, async () => {
    for await (const frame of readFrames(clip, { ffmpeg })) {
      assert.equal(frame.width, 64);
      break;
    }
  });
}

test('an abort in the middle rejects with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  await assert.rejects(async () => {
    for await (const _ of readFrames(clip, { ffmpeg: ffmpegs[0]!, signal: controller.signal }))
      controller.abort(reason);
  }, reason);
});

test('text is neither media nor video', async () => {
  const text = path.join(directory, 'text.mp4');
  writeFileSync(text, 'no pictures');
  const [ffmpeg] = ffmpegs;
  await assert.rejects(probeMedia(text, { ffmpeg: ffmpeg! }), MediaError);
  await assert.rejects(readFrames(text, { ffmpeg: ffmpeg! }).next(), MediaError);
});
