import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClipNetworks } from '../../src/pipeline/clip-networks.ts';
import { planContextWindows } from '../../src/pipeline/context-windows.ts';
import type { FrameConditions, Scene } from '../../src/pipeline/scene.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';
import { WindowConditions } from '../../src/pipeline/window-conditions.ts';

const FRAMES = Array.from({ length: 20 }, (_, frame) => frame);
const windows = planContextWindows(FRAMES.length, { contextFrames: 12, contextOverlap: 4 });

/** Conditions of a clip whose scene and networks only count. */
function counted(signal?: AbortSignal) {
  const drawn: number[] = [];
  let posed = 0;
  const scene: Pick<Scene, 'conditions'> = {
    conditions: async (frame) => {
      drawn.push(frame);
      return {} as FrameConditions;
    },
  };
  const networks: Pick<ClipNetworks, 'poseFeatures' | 'decodesOverBase'> = {
    decodesOverBase: true,
    poseFeatures: async (frames) => {
      posed += 1;
      return { pose: { data: Float32Array.of(frames.length), dims: [1] } };
    },
  };
  const conditions = new WindowConditions(
    scene as Scene,
    networks as ClipNetworks,
    FRAMES,
    new Stopwatch(),
    signal,
  );
  return { conditions, drawn, posed: () => posed };
}

test('what was made ahead is what a window gets, and is made once', async () => {
  const { conditions, drawn, posed } = counted();
  conditions.prefetch(0, windows[0]);
  conditions.prefetch(0, windows[0]);
  const { pose } = await conditions.pose(0, windows[0]!);
  assert.equal(pose!.data[0], windows[0]!.frames.length);
  assert.equal(posed(), 1);
  conditions.prefetch(1, windows[1]);
  conditions.prefetch(2, windows[2]); // there is none
  await conditions.settle();
  assert.equal(posed(), 2);
  assert.deepEqual(
    drawn.sort((a, b) => a - b),
    FRAMES,
  );
  await conditions.pose(1, windows[1]!);
  assert.equal(posed(), 2);
});

test('nothing is made ahead after an abort', async () => {
  const { conditions, drawn } = counted(AbortSignal.abort());
  conditions.prefetch(0, windows[0]);
  await conditions.settle();
  assert.deepEqual(drawn, []);
});

test('a window that was made ahead and cannot be is told to who asks for it, and settles', async () => {
  const { conditions } = counted();
  const broken = { ...windows[0]!, frames: undefined as never };
  conditions.prefetch(0, broken);
  await conditions.settle();
  await assert.rejects(conditions.pose(0, windows[0]!), TypeError);
});
