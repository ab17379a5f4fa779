import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DenoisedFrame } from '../../src/denoising/denoise-clip.ts';
import type { FrameToDecode } from '../../src/networks/clip-networks.ts';
import { decodeFrames } from '../../src/pipeline/decode-frames.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';

async function* denoised(numbers: readonly number[]): AsyncGenerator<DenoisedFrame> {
  for (const frame of numbers) {
    yield { frame, latents: { data: Float32Array.of(frame, -frame), dims: [1, 2, 1, 1, 1] } };
  }
}

/** What is decoded of the frames of a clip by networks whose pictures are the squares of latents, plus their base. */
async function decode(numbers: readonly number[], decodesOverBase: boolean) {
  const bases: number[] = [];
  const sizes: number[] = [];
  const networks = {
    decodesOverBase,
    decodeFrames: 2,
    decode: async (frames: readonly FrameToDecode[]) => {
      sizes.push(frames.length);
      return frames.map(({ latents, base }) =>
        latents.data.map((value) => value ** 2 + (base?.base?.[0] ?? 0)),
      );
    },
  };
  const takeBase = async (frame: number) => {
    bases.push(frame);
    return { base: Uint8Array.of(50 * frame) };
  };
  const options = { networks, conditions: { takeBase }, watch: new Stopwatch() };
  const frames: (readonly [frame: number, isDecoded: boolean, decoded: readonly number[]])[] = [];
  for await (const { frame, latents, decoded } of decodeFrames(denoised(numbers), options)) {
    frames.push([frame, latents !== undefined, [...decoded]]);
    // As a frame that is composed: its memory moves to another thread.
    structuredClone(decoded, { transfer: [decoded.buffer as ArrayBuffer] });
  }
  return { frames, bases, sizes };
}

test('of networks that decode over a base, what is decoded is blended, and no other frame is decoded', async () => {
  const { frames, bases, sizes } = await decode([0, 3, 4], true);
  const at = (frame: number): number => frame ** 2 + 50 * frame;
  const between = (share: number): number => at(0) + share * at(3);
  assert.deepEqual(
    frames.map(([frame, isDecoded, [value]]) => [frame, isDecoded, value]),
    [
      [0, true, at(0)],
      [1, false, Math.fround(between(1 / 3))],
      [2, false, between(2 / 3)],
      [3, true, at(3)],
      [4, true, at(4)],
    ],
  );
  assert.deepEqual(bases, [0, 3, 4]);
  assert.deepEqual(sizes, [2, 1]);
});

test('of networks that decode whole pictures, latents are blended and every frame is decoded', async () => {
  const { frames, bases, sizes } = await decode([0, 2, 3], false);
  assert.deepEqual(
    frames.map(([frame, isDecoded, decoded]) => [frame, isDecoded, ...decoded]),
    [0, 1, 2, 3].map((frame) => [frame, true, frame ** 2, frame ** 2]),
  );
  assert.deepEqual(bases, []);
  assert.deepEqual(sizes, [2, 2]);
});
