import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBlinking } from '../../src/motion/blinking.ts';
import { createHeadMotion } from '../../src/motion/head-motion.ts';

/** Poses `[frames][6]` at 25 frames per second. */
function poses(seed: number, frames: number, scale = 1): number[][] {
  const motion = createHeadMotion({ seed, scale, strengthAt: () => 1 });
  return Array.from({ length: frames }, (_, frame) => {
    const out = new Float32Array(6);
    motion(frame / 25, out, 0);
    return [...out];
  });
}

test('the head starts at the portrait pose and moves by a few degrees, smoothly', () => {
  const channels = [0, 1, 2, 3, 4, 5];
  let [widest, fastest] = [0, 0];
  const squares = [0, 0, 0];
  for (let seed = 1; seed <= 20; seed++) {
    const all = poses(seed, 1500);
    for (const channel of channels) assert.equal(Math.abs(all[0]![channel]!), 0);
    all.forEach((pose, frame) => {
      for (let axis = 0; axis < 3; axis++) {
        widest = Math.max(widest, Math.abs(pose[axis]!));
        squares[axis]! += pose[axis]! ** 2 / (20 * 1500);
        if (frame > 0) fastest = Math.max(fastest, Math.abs(pose[axis]! - all[frame - 1]![axis]!));
      }
    });
  }
  assert.ok(widest > 3 && widest < 8, `widest ${widest} degrees`);
  assert.ok(fastest < 1.2, `fastest ${fastest} degrees per frame`);
  for (const square of squares)
    assert.ok(square > 0.5 ** 2 && square < 2 ** 2, `${Math.sqrt(square)} degrees`);
});

test('a scale of zero keeps the head still', () => {
  for (const pose of poses(3, 100, 0)) for (const value of pose) assert.equal(Math.abs(value), 0);
});

test('the curve does not depend on the order in which times are asked for', () => {
  const motion = createHeadMotion({ seed: 8, scale: 1 });
  const [late, early, again] = [new Float32Array(6), new Float32Array(6), new Float32Array(6)];
  motion(500.2, late, 0);
  motion(1.7, early, 0);
  for (let time = 0; time < 500; time += 0.5) motion(time, again, 0);
  motion(500.2, again, 0);
  assert.deepEqual(again, late);
});

test('eyes blink every two to six seconds, closing faster than they open', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const blinking = createBlinking(seed);
    const starts: number[] = [];
    const step = 0.004;
    let [closing, opening] = [0, 0];
    for (let time = 0; time < 60; time += step) {
      const [before, now] = [blinking(time - step), blinking(time)];
      assert.ok(now >= 0 && now <= 1);
      if (before === 0 && now > 0) starts.push(time);
      if (now > before) closing += step;
      if (now < before) opening += step;
    }
    assert.ok(starts.length >= 9 && starts.length <= 30, `${starts.length} blinks`);
    assert.ok(starts[0]! >= 1);
    for (let i = 1; i < starts.length; i++) {
      const interval = starts[i]! - starts[i - 1]!;
      assert.ok(interval > 1.9 && interval < 6.1, `${interval} s`);
    }
    const duration = (closing + opening) / starts.length;
    assert.ok(duration > 0.1 && duration < 0.2 && closing < 0.8 * opening, `${closing} s, ${opening} s`);
  }
});

test('blinks at a late time do not depend on earlier questions', () => {
  const [a, b] = [createBlinking(9), createBlinking(9)];
  for (let time = 0; time < 400; time += 0.01) a(time);
  for (let time = 395; time < 400; time += 0.01) assert.equal(b(time), a(time));
});
