import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ComposedFrame } from '../../src/pipeline/compose-frames.ts';
import { encodeFrames } from '../../src/pipeline/encode-frames.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';

const FRAMES = 40;
/** Of which 24 fit into the bytes that the video may be behind. */
const PICTURE = { width: 1000, height: 333, data: new Uint8Array(1_000_000) };

/** @param release - is called with the numbers of frames that are not looked at any more. */
async function* pictures(release = (_frame: number): void => {}): AsyncGenerator<ComposedFrame> {
  for (let frame = 0; frame < FRAMES; frame++) {
    yield { frame, latents: undefined, picture: PICTURE, release: () => release(frame) };
  }
}

/** Counts the frames that it takes; the first one is held until `release` is called. */
function slowWriter() {
  let resolve = (): void => {};
  const promise = new Promise<void>((release) => {
    resolve = release;
  });
  const writer = {
    begun: 0,
    taken: 0,
    release: () => resolve(),
    write: async () => {
      writer.begun++;
      await promise;
      writer.taken++;
    },
  };
  return writer;
}

const rest = () => {
  const progress = { done: 0, frameDone: () => progress.done++ };
  return { watch: new Stopwatch(), progress };
};
/** Until nothing goes on that waits for nothing. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('who watches has frames while the video is behind, and the video gets all of them one after another', async () => {
  const video = slowWriter();
  let watched = 0;
  const live = { write: async () => void watched++ };
  const encoding = encodeFrames(pictures(), { video, live, ...rest() });
  await settle();
  assert.deepEqual([video.begun, watched], [1, 25]);
  video.release();
  await encoding;
  assert.deepEqual([video.taken, watched], [FRAMES, FRAMES]);
});

test('without anybody who watches no frame is made that the encoder has not asked for', async () => {
  const video = slowWriter();
  const { watch, progress } = rest();
  const encoding = encodeFrames(pictures(), { video, watch, progress });
  await settle();
  assert.deepEqual([video.begun, progress.done], [1, 0]);
  video.release();
  await encoding;
  assert.equal(progress.done, FRAMES);
});

test('a video that fails fails the clip, also after its last frame', async () => {
  for (const failing of [1, FRAMES]) {
    let count = 0;
    const video = {
      write: async () => {
        if (++count === failing) throw new Error('the encoder has ended');
      },
    };
    const live = { write: async () => {} };
    await assert.rejects(encodeFrames(pictures(), { video, live, ...rest() }), /the encoder has ended/);
  }
});

test('a picture is released when video and who watches have it, before the next is asked for without one', async () => {
  const events: string[] = [];
  const released = (frame: number): void => void events.push(`released ${frame}`);
  const video = { write: async () => void events.push('written') };
  await encodeFrames(pictures(released), { video, ...rest() });
  const expected = Array.from({ length: FRAMES }, (_, frame) => ['written', `released ${frame}`]).flat();
  assert.deepEqual(events, expected);

  const slow = slowWriter();
  const late: number[] = [];
  const live = { write: async () => {} };
  const encoding = encodeFrames(
    pictures((frame) => late.push(frame)),
    { video: slow, live, ...rest() },
  );
  await settle();
  assert.deepEqual(late, [], 'the video has none yet');
  slow.release();
  await encoding;
  assert.equal(late.length, FRAMES);
});
