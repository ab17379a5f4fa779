import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import sharp from 'sharp';
import { FaceError, FaceLostError, InvalidOptionError, MediaError } from '../../src/errors.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { type FfmpegInfo, locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { type TrackFilmOptions, trackFilm } from '../../src/tracking/track-film.ts';
import { drawFace } from '../helpers/drawn-face.ts';
import { onCanvas, writeFilm } from '../helpers/drawn-film.ts';
import { makeMedia, temporaryDirectory } from '../helpers/media.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const TIME_LIMIT = { timeout: 600_000 };
const WIDTH = 320;
const HEIGHT = 240;
const FACE = 200;
const directory = temporaryDirectory();
let ffmpeg: FfmpegInfo;
let finder: FaceFinder;
let face: RgbImage;
const blank = onCanvas(WIDTH, HEIGHT, []);
/** A wider picture: a face that goes is not another scene. */
const wide = { width: 480, height: 320 };

before(async () => {
  ffmpeg = await locateFfmpeg({ env: process.env });
  finder = await FaceFinder.open(loadOrtNetwork);
  face = await drawFace(FACE);
});
after(() => finder.dispose());

/** The face with its left edge at `x`. */
function at(x: number): RgbImage {
  return onCanvas(WIDTH, HEIGHT, [{ image: face, x: Math.round(x), y: 20 }]);
}

/** A small face in a wide picture, its left edge at `x`; without one the picture is empty. */
function inWide(small: RgbImage, x?: number): RgbImage {
  return onCanvas(wide.width, wide.height, x === undefined ? [] : [{ image: small, x, y: 80 }]);
}

/** A face that swings to both sides, 12 pixels and twice a second. */
function swing(frames: number, fps: number): RgbImage[] {
  return Array.from({ length: frames }, (_, i) => at(60 + 12 * Math.sin((4 * Math.PI * i) / fps)));
}

let films = 0;
function film(frames: readonly RgbImage[], fps: number, args: readonly string[] = []): Promise<string> {
  return writeFilm(ffmpeg, path.join(directory, `film-${films++}.mp4`), frames, fps, [
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '12', '-pix_fmt', 'yuv420p'],
    ...args,
  ]);
}

async function track(file: string, options: Partial<TrackFilmOptions> = {}) {
  const notices: string[] = [];
  const result = await trackFilm(file, {
    ffmpeg,
    finder,
    onNotice: (message: string) => notices.push(message),
    ...options,
  });
  return { ...result, notices };
}

/** Pixels to the side of the picture's middle at which a frame's face is, from its pose. */
function sideOf({ poses }: { readonly poses: Float32Array }, frame: number): number {
  const [x, z] = [poses[frame * 6 + 3]!, poses[frame * 6 + 5]!];
  return (x / -z / Math.tan((63 / 2) * (Math.PI / 180))) * (HEIGHT / 2);
}

test('a face is where it is drawn, frame by frame and without lag', TIME_LIMIT, async () => {
  const result = await track(await film(swing(50, 25), 25));
  assert.equal(result.fps, 25);
  assert.equal(result.frames, 50);
  assert.ok(result.seen.every((seen) => seen === 1));
  assert.deepEqual(result.cuts, []);
  // A swing of twice a second, against smoothing's reach of 0.16 s: a lag of one frame would be off by up to 6 px.
  const middle = sideOf(result, 0);
  for (let i = 4; i < 46; i++) {
    const expected = middle + 12 * Math.sin((4 * Math.PI * i) / 25);
    assert.ok(Math.abs(sideOf(result, i) - expected) < 3, `frame ${i}: ${sideOf(result, i)} for ${expected}`);
  }
});

test('a film with uneven times is put on an even grid by them', TIME_LIMIT, async () => {
  // Frames 10 to 29 of 25 a second are shown for twice as long: the face moves half as fast there.
  const file = await film(swing(40, 25), 25, [
    ...['-vf', "setpts='if(lt(N,10),N,if(lt(N,30),10+2*(N-10),50+N-30))/25/TB'"],
    ...['-vsync', 'passthrough'],
  ]);
  const result = await track(file, {});
  const shownAt = (time: number): number => {
    const slot = time * 25;
    return slot < 10 ? slot : slot < 50 ? 10 + (slot - 10) / 2 : 30 + slot - 50;
  };
  const middle = sideOf(result, 0);
  assert.ok(Math.abs(result.frames / result.fps - 60 / 25) < 0.1, `${result.frames} at ${result.fps}`);
  for (let i = 6; i < result.frames - 6; i++) {
    const expected = middle + 12 * Math.sin((4 * Math.PI * shownAt(i / result.fps)) / 25);
    assert.ok(Math.abs(sideOf(result, i) - expected) < 4, `frame ${i}: ${sideOf(result, i)} for ${expected}`);
  }
});

test('of 240 frames a second 60 are looked at', TIME_LIMIT, async () => {
  const result = await track(await film(swing(120, 240), 240));
  assert.equal(result.fps, 60);
  assert.equal(result.frames, 30);
});

test('a film that a phone held sideways is turned upright', TIME_LIMIT, async () => {
  const upright = await film(swing(10, 25), 25);
  const sideways = path.join(directory, 'sideways.mp4');
  makeMedia(ffmpeg, sideways, '-i', upright, '-vf', 'transpose=clock', '-c:v', 'libx264', '-crf', '12');
  const turned = path.join(directory, 'turned.mp4');
  // The display matrix says that players turn the picture by a quarter.
  makeMedia(ffmpeg, turned, '-i', sideways, '-c', 'copy', '-metadata:s:v', 'rotate=90');
  const expected = await track(upright);
  const result = await track(turned);
  assert.equal(result.aspect.toFixed(2), expected.aspect.toFixed(2));
  for (let axis = 0; axis < 3; axis++) {
    assert.ok(Math.abs(result.rest.pose[axis]! - expected.rest.pose[axis]!) < 1.5);
  }
});

test('a face that is out of sight for 0.3 s moves on smoothly, with a notice', TIME_LIMIT, async () => {
  const small = await drawFace(150);
  const frames = Array.from({ length: 40 }, (_, i) => inWide(small, i >= 15 && i < 22 ? undefined : 100 + i));
  const result = await track(await film(frames, 25));
  assert.match(result.notices.join('\n'), /interpolated at 0\.60–0\.8\d s/);
  assert.deepEqual([...result.seen.subarray(16, 21)], [0, 0, 0, 0, 0]);
  for (let i = 8; i < 30; i++) {
    // sideOf counts in pixels of a picture of HEIGHT.
    const moved = ((sideOf(result, i) - sideOf(result, 0)) * wide.height) / HEIGHT;
    assert.ok(Math.abs(moved - i) < 4, `frame ${i}: ${moved}`);
  }
});

test('a face that is out of sight for a second is refused with the times, or held', TIME_LIMIT, async () => {
  const small = await drawFace(150);
  const frames = Array.from({ length: 60 }, (_, i) => inWide(small, i >= 20 && i < 45 ? undefined : 100 + i));
  const file = await film(frames, 25);
  await assert.rejects(track(file), (error: FaceLostError) => {
    assert.ok(error instanceof FaceLostError);
    assert.equal(error.spans.length, 1);
    assert.ok(Math.abs(error.spans[0]!.from - 0.8) < 0.05 && Math.abs(error.spans[0]!.to - 1.8) < 0.15);
    assert.match(error.message, /0\.80–1\.8\d s/);
    return true;
  });
  const held = await track(file, { gaps: 'hold' });
  assert.match(held.notices.join('\n'), /held still at 0\.80–1\.8\d s/);
  assert.ok(Math.abs(sideOf(held, 25) - sideOf(held, 20)) < 2);
});

test(
  'of two faces the one that is counted from the left is followed, also when they come close',
  TIME_LIMIT,
  async () => {
    const small = await drawFace(150);
    const frames = Array.from({ length: 30 }, (_, i) =>
      onCanvas(480, 240, [
        { image: face, x: 10 + i, y: 20 },
        { image: small, x: 320 - 2 * i, y: 40 },
      ]),
    );
    const file = await film(frames, 25);
    const largest = await track(file);
    assert.match(largest.notices.join('\n'), /shows 2 faces; the largest one, the first from the left/);
    const right = await track(file, { face: 2 });
    const [first, last] = [sideOf(right, 0), sideOf(right, 29)];
    assert.ok(first > 60 && last - first < -45 && last - first > -70, `${first} to ${last}`);
    await assert.rejects(track(file, { face: 3 }), (error: InvalidOptionError) => {
      assert.ok(error instanceof InvalidOptionError);
      assert.match(error.message, /found 2/);
      return true;
    });
  },
);

test('a cut is noticed and nothing is smoothed across it', TIME_LIMIT, async () => {
  const scene = (grey: number, x: number): RgbImage =>
    onCanvas(WIDTH, HEIGHT, [{ image: face, x, y: 20 }], grey);
  const frames = Array.from({ length: 30 }, (_, i) => (i < 15 ? scene(200, 20) : scene(20, 100)));
  const result = await track(await film(frames, 25));
  assert.deepEqual(result.cuts, [15]);
  assert.ok(Math.abs(sideOf(result, 14) - sideOf(result, 5)) < 2);
  assert.ok(Math.abs(sideOf(result, 15) - sideOf(result, 25)) < 2);
  assert.ok(sideOf(result, 15) - sideOf(result, 14) > 70);
});

test('of a film in 8K the same is seen as of a small one', TIME_LIMIT, async () => {
  const small = await film(swing(4, 25), 25);
  const large = path.join(directory, 'large.mkv');
  const enlarged = ['-vf', 'scale=7680:5760:flags=bilinear', '-c:v', 'mjpeg', '-q:v', '3'];
  makeMedia(ffmpeg, large, '-i', small, ...enlarged);
  const [of, as] = [await track(large), await track(small)];
  assert.equal(of.frames, 4);
  for (let frame = 0; frame < 4; frame++) {
    const [one, other] = [sideOf(of, frame), sideOf(as, frame)];
    assert.ok(Math.abs(one - other) < 1, `frame ${frame}: ${one} and ${other} pixels`);
  }
});

test('an animated GIF is a film', TIME_LIMIT, async () => {
  const file = path.join(directory, 'loop.gif');
  makeMedia(ffmpeg, file, '-i', await film(swing(10, 10), 10));
  const result = await track(file);
  assert.equal(result.fps, 10);
  assert.equal(result.frames, 10);
});

for (const [what, make, type, message] of [
  [
    'without a face',
    () => film([blank, blank, blank], 25),
    FaceError,
    /expected a face, found none in 3 frames/,
  ],
  ['of a single picture', () => film([at(60)], 25), MediaError, /expected a film, got a single picture/],
  [
    'without video',
    async () => makeMedia(ffmpeg, path.join(directory, 'sound.wav'), '-f', 'lavfi', '-i', 'sine=d=1'),
    MediaError,
    /got a file without a video stream/,
  ],
  [
    'that is a moving WebP',
    async () => {
      const file = path.join(directory, 'loop.webp');
      const pictures = [at(60), at(64)].map(({ data, width, height }) =>
        sharp(data, { raw: { width, height, channels: 3 } })
          .png()
          .toBuffer(),
      );
      await sharp(await Promise.all(pictures), { join: { animated: true } })
        .webp({ delay: [100, 100] })
        .toFile(file);
      return file;
    },
    MediaError,
    /got a WebP, which ffmpeg reads only while it does not move; turn it into a GIF or an MP4/,
  ],
  ['that is not there', async () => path.join(directory, 'none.mp4'), MediaError, /got nothing at this path/],
] as const) {
  test(`a film ${what} is refused`, TIME_LIMIT, async () => {
    const file = await make();
    await assert.rejects(track(file), (error: Error) => {
      assert.ok(error instanceof type, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

test('tracking stops when its signal aborts', TIME_LIMIT, async () => {
  const stop = new AbortController();
  const file = await film(swing(50, 25), 25);
  const reason = new Error('enough');
  const tracking = track(file, {
    signal: stop.signal,
    onProgress: (done) => done > 0.4 && stop.abort(reason),
  });
  await assert.rejects(tracking, (error) => error === reason);
});
