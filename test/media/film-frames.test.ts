import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { FilmFrames } from '../../src/media/film-frames.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { makeMedia, temporaryDirectory } from '../helpers/media.ts';

const FPS = 25;
const ffmpeg = await locateFfmpeg({ env: process.env });
const folder = temporaryDirectory();
/** Every frame differs from every other; there are few places to enter the film. */
const film = makeMedia(
  ffmpeg,
  `${folder}/film.mp4`,
  ...['-f', 'lavfi', '-i', `testsrc2=size=96x64:rate=${FPS}:duration=6`],
  ...['-c:v', 'libx264', '-g', '40', '-pix_fmt', 'yuv420p'],
);
const expected: Uint8Array[] = [];
for await (const { data } of readFrames(film, { ffmpeg, fps: FPS })) expected.push(data);

async function assertOrder(order: readonly number[]): Promise<void> {
  const frames = new FilmFrames(film, { ffmpeg, fps: FPS });
  try {
    for (const frame of order) {
      const { data } = await frames.at(frame);
      assert(Buffer.from(data).equals(expected[frame]!), `frame ${frame}`);
    }
  } finally {
    await frames.dispose();
  }
}

const all = Array.from({ length: expected.length }, (_, i) => i);

test('the film has the frames that it was made with', () => assert.equal(expected.length, 150));

test('forwards, every frame is the one that a plain reading gives', () => assertOrder(all));

test('so it is forwards and back again', () => assertOrder([...all, ...all.toReversed()]));

test('two places are read in turns, one behind the other', () =>
  assertOrder(all.slice(30).flatMap((frame) => [frame, frame - 30])));

test('jumps enter the film at the right frame', () => assertOrder([140, 3, 77, 149, 40, 39, 41, 0]));

test('a frame beyond the end is the last one, far beyond an error', async () => {
  const frames = new FilmFrames(film, { ffmpeg, fps: FPS });
  try {
    assert.deepEqual((await frames.at(149)).data, expected[149]);
    assert.deepEqual((await frames.at(150)).data, expected[149]);
    await assert.rejects(frames.at(400), MediaError);
  } finally {
    await frames.dispose();
  }
});

test('larger pictures are made smaller to the longest side that is asked for', async () => {
  const frames = new FilmFrames(film, { ffmpeg, fps: FPS, maxSide: 48 });
  try {
    const { width, height } = await frames.at(0);
    assert.deepEqual([width, height], [48, 32]);
  } finally {
    await frames.dispose();
  }
});
