import assert from 'node:assert/strict';
import { test } from 'node:test';
import { composeFrames } from '../../src/pipeline/compose-frames.ts';
import type { DecodedFrame } from '../../src/pipeline/decode-frames.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';

async function* decoded(frames: number): AsyncGenerator<DecodedFrame> {
  for (let frame = 0; frame < frames; frame++) {
    yield { frame, latents: undefined, decoded: Float32Array.of(frame) };
  }
}

test('a picture that was released lends its memory to one other, and no picture that was not', async () => {
  const memories: (number | undefined)[] = [];
  const compose = async (frame: number, _decoded: Float32Array, memory?: Uint8Array) => {
    memories.push(memory?.[0]);
    return { data: Uint8Array.of(frame), width: 1, height: 1 };
  };
  const options = { scene: { compose }, watch: new Stopwatch() };
  for await (const { frame, release } of composeFrames(decoded(6), options)) {
    if (frame === 1 || frame === 3) release();
  }
  assert.deepEqual(memories, [undefined, undefined, 1, undefined, 3, undefined]);
});
