import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { createIdleMotion } from '../../src/motion/idle-motion.ts';
import { LoopedMotion } from '../../src/motion/looped-motion.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import type { FrameMotion, MotionSource } from '../../src/motion/motion-source.ts';

const FPS = 25;

/** A head that turns evenly, a mouth that opens evenly: the worst for a loop. */
const drifting: MotionSource = {
  at: async (frame) => ({
    offsets: new Float32Array(MESH_VALUES).fill(frame),
    pose: new Float32Array(6).fill(frame),
    gaze: [frame, -frame],
  }),
};

test('a loop begins where its source goes on after the end, and soon is the source itself', async () => {
  const frames = 100;
  const loop = new LoopedMotion({ source: drifting, frames, fps: FPS, speaks: true });
  const first = await loop.at(0);
  assert.deepEqual([first.pose[0], first.offsets[0], first.gaze], [100, 100, [100, -100]]);
  // The mouth after 0.3 s, the head after 1.2 s.
  assert.equal((await loop.at(8)).offsets[0], 8);
  assert.ok((await loop.at(8)).pose[0]! > 50);
  assert.equal((await loop.at(30)).pose[0], 30);
  assert.deepEqual(await loop.at(99), await drifting.at(99));
  assert.deepEqual(await loop.at(frames), first);
});

test('the last frame of an idle clip meets the first as closely as any two frames meet', async () => {
  const frames = 8 * FPS;
  const source = createIdleMotion({ seed: 3, fps: FPS, mesh: loadFaceMesh().vertices });
  const loop = new LoopedMotion({ source, frames, fps: FPS, speaks: false });
  const motions = await Promise.all(Array.from({ length: frames }, (_, i) => loop.at(i)));
  const steps = motions.map((motion, i) => stepBetween(motion, motions[(i + 1) % frames]!));
  const last = steps.pop()!;
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(0.99 * steps.length)]!;
  assert.ok(last <= usual, `${last} against ${usual}`);
  assert.ok(usual > 0.01, 'the face moves');
});

/** The farthest that a vertex goes, in cm, and half a millimetre for each degree of the head. */
function stepBetween(a: FrameMotion, b: FrameMotion): number {
  let most = 0;
  for (let i = 0; i < a.offsets.length; i++) most = Math.max(most, Math.abs(a.offsets[i]! - b.offsets[i]!));
  for (let i = 0; i < 3; i++) most = Math.max(most, 0.05 * Math.abs(a.pose[i]! - b.pose[i]!));
  return most;
}
