import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitPose } from '../../src/scene/limit-pose.ts';

const motion = (pitch: number, yaw: number, roll: number) => ({
  offsets: new Float32Array(3),
  pose: Float32Array.of(pitch, yaw, roll, 1, 2, 3),
});

test('a head that turns as far as a still holds is followed exactly', () => {
  for (const asked of [motion(15, -16, 20), motion(-8, 15, 0)]) assert.equal(limitPose(asked), asked);
});

test('beyond, the turn goes on slower, to the same side, and stays within the limit; shifts are kept', () => {
  const { pose } = limitPose(motion(-40, 23, 90));
  assert.ok(pose[0]! < -15 && pose[0]! >= -22, `pitch ${pose[0]}`);
  assert.ok(pose[1]! > 21 && pose[1]! < 23, `yaw ${pose[1]}`);
  assert.ok(pose[2]! > 20 && pose[2]! <= 30, `roll ${pose[2]}`);
  assert.deepEqual([...pose.subarray(3)], [1, 2, 3]);
});

test('a head is turned to the side by 20° nearly as far as that, and never by 25°', () => {
  assert.ok(Math.abs(limitPose(motion(0, 20, 0)).pose[1]! - 20) < 0.4);
  assert.ok(limitPose(motion(0, 90, 0)).pose[1]! < 25);
});

test('there is no kink where the limit begins to act, and what was asked is left as it was', () => {
  const asked = motion(0, 16.1, 0);
  assert.ok(Math.abs(limitPose(asked).pose[1]! - 16.1) < 1e-3);
  assert.ok(Math.abs(asked.pose[1]! - 16.1) < 1e-5);
});
