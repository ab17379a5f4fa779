import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { MediaError, SubprocessError } from '../../src/errors.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import type { SoundTrack } from '../../src/media/sound-track.ts';
import type { VideoFrame } from '../../src/media/video-frame.ts';
import { frameCount, VideoWriter, type VideoWriterOptions } from '../../src/media/video-writer.ts';
import { availableFfmpegs, chirps, encodeWav, findLag, psnr, temporaryDirectory } from '../helpers/media.ts';
import { LOADER, moduleUrl } from '../helpers/run-program.ts';

const ffmpegs = await availableFfmpegs();
const ffmpeg = ffmpegs[0]!;
const directory = temporaryDirectory();
/** Tests that look for the child process read /proc. */
const skip = process.platform !== 'linux';
const SAMPLE_RATE = 16000;
const WIDTH = 64;
const HEIGHT = 48;

/** Smooth colours that move: what a lossy encoder keeps well, unlike noise. */
function picture(index: number, width = WIDTH, height = HEIGHT): VideoFrame {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y * width + x) * 3;
      data[i] = 60 + ((x * 2 + index * 3) % 130);
      data[i + 1] = 40 + y * 3;
      data[i + 2] = 128 + 60 * Math.sin((x + y + index) / 20);
    }
  }
  return { data, width, height };
}

function sound(name: string, duration: number): string {
  const file = path.join(directory, name);
  writeFileSync(file, encodeWav(chirps(duration, SAMPLE_RATE), SAMPLE_RATE));
  return file;
}

function jobFolder(name: string): string {
  const folder = path.join(directory, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Seconds of the tracks, in the file's order, as its index states them (ISO/IEC 14496-12, `tkhd` in units of `mvhd`). */
function trackDurations(file: string): number[] {
  const bytes = readFileSync(file);
  const after = (box: string, from = 0) => bytes.indexOf(box, from, 'latin1') + 4;
  const unit = bytes.readUInt32BE(after('mvhd') + 12);
  const durations: number[] = [];
  for (let at = after('tkhd'); at > 4; at = after('tkhd', at))
    durations.push(bytes.readUInt32BE(at + 20) / unit);
  return durations;
}

async function trackOf(audioPath: string): Promise<SoundTrack> {
  return (await readAudio(audioPath, { ffmpeg })).track;
}

async function openWriter(
  options: Partial<VideoWriterOptions> & { outputPath: string },
): Promise<VideoWriter> {
  return VideoWriter.open({ ffmpeg, width: WIDTH, height: HEIGHT, fps: 25, frames: 10, ...options });
}

for (const build of ffmpegs) {
  for (const [duration, fps, extension] of [
    [2.01, 25, 'mp4'],
    [0.1, 30, 'mov'],
    [1.37, 29.97, 'm4v'],
  ] as const) {
    test(`${duration} s at ${fps} fps becomes a complete ${extension} with ffmpeg ${build.version}`, async () => {
      const audioPath = sound(`a${duration}.wav`, duration);
      const outputPath = path.join(jobFolder(`ok-${build.version}-${extension}`), `talk.${extension}`);
      const frames = frameCount(duration, fps);
      const writer = await openWriter({
        ffmpeg: build,
        outputPath,
        fps,
        frames,
        sound: await trackOf(audioPath),
        crf: 12,
      });
      for (let i = 0; i < frames; i++) await writer.write(picture(i));
      await writer.finish();
      await writer.dispose();
      assert.deepEqual(readdirSync(path.dirname(outputPath)), [`talk.${extension}`]);

      const { video, audio } = await probeMedia(outputPath, { ffmpeg });
      assert.ok(video && audio);
      assert.deepEqual(
        [video.codec, video.pixelFormat, video.width, video.height],
        ['h264', 'yuv420p', WIDTH, HEIGHT],
      );
      assert.equal(video.frames, frames);
      assert.deepEqual([audio.codec, audio.sampleRate, audio.channels], ['aac', 48000, 2]);
      assert.ok(Math.abs(video.fps - fps) < 0.01, `${video.fps} fps`);
      assert.ok(Math.abs(video.startTime) < 1e-4, `video starts at ${video.startTime}`);
      assert.ok(Math.abs(audio.startTime) < 1e-4, `audio starts at ${audio.startTime}`);
      assert.ok(Math.abs(video.duration - duration) < 1 / fps + 1e-3, `video of ${video.duration} s`);
      // Both end together; decoders give what fills the last frame of AAC, too.
      const late = audio.startTime + audio.duration - frames / fps;
      assert.ok(late > -1e-3 && late < 1024 / 48000, `the sound ends ${late} s after the pictures`);
      const [pictures, heard] = trackDurations(outputPath);
      assert.ok(Math.abs(pictures! - frames / fps) < 2e-3, `pictures of ${pictures} s`);
      // Older versions count the run-in of AAC, which players skip.
      const over = heard! - frames / fps;
      assert.ok(over > -2e-3 && over < 1024 / 48000 + 2e-3, `sound of ${heard} s`);

      let index = 0;
      for await (const frame of readFrames(outputPath, { ffmpeg })) {
        const quality = psnr(frame.data, picture(index).data);
        assert.ok(quality > 30, `frame ${index}: ${quality.toFixed(1)} dB`);
        index++;
      }
      assert.equal(index, frames);
    });
  }

  test(`the sound keeps its time with ffmpeg ${build.version}`, async () => {
    const audioPath = sound('lag.wav', 1.5);
    const outputPath = path.join(directory, `lag-${build.version}.mp4`);
    const writer = await openWriter({
      ffmpeg: build,
      outputPath,
      frames: 38,
      sound: await trackOf(audioPath),
    });
    for (let i = 0; i < 38; i++) await writer.write(picture(i));
    await writer.finish();
    const [before, after] = await Promise.all([
      readAudio(audioPath, { ffmpeg }),
      readAudio(outputPath, { ffmpeg }),
    ]);
    const lag = findLag(before.pcm, after.pcm, 400);
    assert.ok(Math.abs(lag) <= 8, `${lag} samples of 1/16000 s`);
  });
}

test('the index stands before the pictures, and equal input gives equal bytes', async () => {
  const write = async (name: string) => {
    const writer = await openWriter({
      outputPath: path.join(directory, name),
      metadata: { title: 'a = b; c' },
    });
    for (let i = 0; i < 10; i++) await writer.write(picture(i));
    await writer.finish();
    return readFileSync(path.join(directory, name));
  };
  const [first, second] = [await write('one.mp4'), await write('two.mp4')];
  assert.ok(first.indexOf('moov') < first.indexOf('mdat'));
  assert.ok(first.includes('a = b; c'));
  assert.deepEqual(first, second);
});

test('frames wait for the encoder instead of piling up', async () => {
  const writer = await openWriter({
    outputPath: path.join(directory, 'slow.mp4'),
    width: 512,
    height: 512,
    frames: 40,
  });
  const frame = picture(0, 512, 512);
  try {
    let before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 40; i++) {
      await writer.write(frame);
      if (i === 5) before = process.memoryUsage().arrayBuffers;
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 3 * frame.data.length);
    await writer.finish();
  } finally {
    await writer.dispose();
  }
});

test('the encoder runs at a lower priority', { skip }, async () => {
  const writer = await openWriter({ outputPath: path.join(directory, 'nice.mp4') });
  try {
    await writer.write(picture(0));
    assert.equal(os.getPriority(childOf(process.pid, directory)), 10);
  } finally {
    await writer.dispose();
  }
});

test('bad options are refused before anything is started', async () => {
  const outputPath = path.join(directory, 'bad.mp4');
  const refused = { code: 'INVALID_OPTION' };
  await assert.rejects(openWriter({ outputPath, width: 65 }), refused);
  await assert.rejects(openWriter({ outputPath, height: 8 }), refused);
  await assert.rejects(openWriter({ outputPath, fps: Number.NaN }), refused);
  await assert.rejects(openWriter({ outputPath, frames: 0 }), refused);
  await assert.rejects(openWriter({ outputPath, crf: 52 }), refused);
  await assert.rejects(openWriter({ outputPath: path.join(directory, 'bad.avi') }), refused);
  const none = { ...(await trackOf(sound('some.wav', 0.2))), path: path.join(directory, 'none.wav') };
  await assert.rejects(openWriter({ outputPath, sound: none }), MediaError);
});

test('a frame of another size is refused', async () => {
  const writer = await openWriter({ outputPath: path.join(directory, 'size.mp4') });
  try {
    await assert.rejects(writer.write(picture(0, 32, 32)), { code: 'SHAPE' });
  } finally {
    await writer.dispose();
  }
});

test('dispose leaves nothing behind and may be called twice', async () => {
  const folder = jobFolder('disposed');
  const writer = await openWriter({ outputPath: path.join(folder, 'talk.mp4') });
  await writer.write(picture(0));
  await writer.dispose();
  await writer.dispose();
  assert.deepEqual(readdirSync(folder), []);
  await assert.rejects(writer.write(picture(1)), SubprocessError);
});

test('an abort rejects with its reason and leaves nothing behind', async () => {
  const folder = jobFolder('aborted');
  const controller = new AbortController();
  const writer = await openWriter({ outputPath: path.join(folder, 'talk.mp4'), signal: controller.signal });
  await writer.write(picture(0));
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(
    (async () => {
      for (let i = 1; i < 10; i++) await writer.write(picture(i));
      await writer.finish();
    })(),
    reason,
  );
  assert.deepEqual(readdirSync(folder), []);
});

test('an encoder that is killed rejects the next write, in one line', { skip }, async () => {
  const folder = jobFolder('killed');
  const writer = await openWriter({
    outputPath: path.join(folder, 'talk.mp4'),
    width: 512,
    height: 512,
    frames: 99,
  });
  await writer.write(picture(0, 512, 512));
  process.kill(childOf(process.pid, folder), 'SIGKILL');
  await assert.rejects(
    async () => {
      for (let i = 1; i < 99; i++) await writer.write(picture(i, 512, 512));
    },
    (error) => {
      assert.ok(error instanceof SubprocessError);
      assert.equal(error.signal, 'SIGKILL');
      assert.match(
        error.message,
        /^Cannot write video .*talk\.mp4: expected ffmpeg to finish, got it was ended by SIGKILL$/,
      );
      return true;
    },
  );
  assert.deepEqual(readdirSync(folder), []);
});

for (const [what, change, message] of [
  ['is no sound any more', (file: string) => writeFileSync(file, 'this is not sound'), /Invalid data found/],
  [
    'is shorter than it was',
    (file: string) => writeFileSync(file, encodeWav(chirps(0.2, SAMPLE_RATE), SAMPLE_RATE)),
    /expected the 0\.40 s that it had, got 0\.20 s less; it has changed meanwhile$/,
  ],
] as const) {
  test(`a recording that ${what} fails with the reason`, async () => {
    const folder = jobFolder('changed');
    const audioPath = sound('changes.wav', 0.4);
    const track = await trackOf(audioPath);
    change(audioPath);
    const writer = await openWriter({ outputPath: path.join(folder, 'talk.mp4'), sound: track });
    await assert.rejects(
      async () => {
        for (let i = 0; i < 10; i++) await writer.write(picture(i));
        await writer.finish();
      },
      (error) => {
        assert.ok(error instanceof SubprocessError || error instanceof MediaError);
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
    await writer.dispose();
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('a file that appears meanwhile is kept unless force is set', async () => {
  const outputPath = path.join(jobFolder('taken'), 'talk.mp4');
  for (const force of [false, true]) {
    const writer = await openWriter({ outputPath, force });
    writeFileSync(outputPath, 'mine');
    for (let i = 0; i < 10; i++) await writer.write(picture(i));
    if (force) await writer.finish();
    else await assert.rejects(writer.finish(), MediaError);
    assert.equal(readFileSync(outputPath).length === 4, !force);
    assert.deepEqual(readdirSync(path.dirname(outputPath)), ['talk.mp4']);
  }
});

test('too few frames are an error, not a shorter video', async () => {
  const folder = jobFolder('short');
  const writer = await openWriter({ outputPath: path.join(folder, 'talk.mp4') });
  await writer.write(picture(0));
  await assert.rejects(writer.finish(), /1 of 10 frames/);
  assert.deepEqual(readdirSync(folder), []);
});

for (const build of ffmpegs) {
  test(`a full disk is an error that names it, with ffmpeg ${build.version}`, async (t) => {
    const folder = jobFolder(`full-${build.version}`);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      t.skip('needs the right to mount a small file system');
      return;
    }
    try {
      const frames = 60;
      const options = { ffmpeg: build, outputPath: path.join(folder, 'talk.mp4'), frames, crf: 1 };
      const writer = await openWriter({ ...options, width: 256, height: 256 });
      await assert.rejects(async () => {
        for (let i = 0; i < frames; i++) await writer.write(picture(i * 7, 256, 256));
        await writer.finish();
      }, /No space left on device|disk full/);
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      execFileSync('umount', [folder]);
    }
  });
}

test('a program that exits in the middle takes its encoder and partial file along', { skip }, async () => {
  const folder = jobFolder('exits');
  const source = `
    import { locateFfmpeg } from ${JSON.stringify(moduleUrl('src/media/ffmpeg-path.ts'))};
    import { VideoWriter } from ${JSON.stringify(moduleUrl('src/media/video-writer.ts'))};
    const ffmpeg = await locateFfmpeg({ env: process.env });
    const writer = await VideoWriter.open({ ffmpeg, outputPath: 'talk.mp4', width: 64, height: 64, fps: 25, frames: 50 });
    await writer.write({ width: 64, height: 64, data: new Uint8Array(64 * 64 * 3) });
    console.log('started');
    process.stdin.once('data', () => process.exit(3));
  `;
  const script = path.join(directory, 'exits.mjs');
  writeFileSync(script, source);
  const child = spawn(process.execPath, [...LOADER, script], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const encoder = childOf(child.pid!, folder);
  child.stdin.write('end');
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 3);
  assert.deepEqual(readdirSync(folder), []);
  await waitUntilGone(encoder);
});

/** Name, state and parent of a process, from /proc: not every system has `ps`. */
function processState(pid: number): { name: string; state: string; parent: number } | undefined {
  try {
    const [, name = '', state = '', parent] =
      /\((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { name, state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** The ffmpeg that `parent` has started for a file in `place`, and that is still running. */
function childOf(parent: number, place: string): number {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
  const child = pids.find((pid) => {
    const found = processState(pid);
    if (found?.parent !== parent || found.name !== 'ffmpeg' || found.state === 'Z') return false;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(place);
  });
  assert.ok(child, `no ffmpeg under ${parent}`);
  return child;
}

async function waitUntilGone(pid: number): Promise<void> {
  // Without an init process that collects them, dead orphans stay as zombies. The test's time limit is the limit.
  while ((processState(pid)?.state ?? 'Z') !== 'Z') await new Promise((resolve) => setTimeout(resolve, 20));
}
