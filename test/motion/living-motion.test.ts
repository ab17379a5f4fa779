import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidOptionError } from '../../src/errors.ts';
import { createIdleMotion, STILL_MOTION } from '../../src/motion/idle-motion.ts';
import { eyeAperture } from '../../src/motion/lid-shapes.ts';
import { LivingMotion, type LivingMotionOptions } from '../../src/motion/living-motion.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import type { FrameMotion, MotionSource } from '../../src/motion/motion-source.ts';
import { CANONICAL, distance, moved, withEyes } from './face-fixture.ts';
import { SAMPLE_RATE, speak } from './speech-fixture.ts';

const { pcm } = speak(20, { seed: 2 });
const options: LivingMotionOptions = {
  ...{ source: STILL_MOTION, pcm, sampleRate: SAMPLE_RATE, fps: 25, mesh: CANONICAL, seed: 1 },
};
const clip = async (source: MotionSource, first: number, count: number): Promise<FrameMotion[]> => {
  const frames: FrameMotion[] = [];
  for (let i = 0; i < count; i++) frames.push(await source.at(first + i));
  return frames;
};

test('frames are the same in any order, and whatever was asked for before', async () => {
  const forwards = await clip(new LivingMotion(options), 0, 300);
  const other = new LivingMotion(options);
  for (const frame of [299, 250, 17, 16, 288, 0]) assert.deepEqual(await other.at(frame), forwards[frame]);
  assert.deepEqual(await clip(new LivingMotion(options), 120, 10), forwards.slice(120, 130));
});

test('the end of the speech does not change frames long before it', async () => {
  const cut = new LivingMotion({ ...options, pcm: pcm.subarray(0, 12 * SAMPLE_RATE) });
  assert.deepEqual(await clip(cut, 50, 50), await clip(new LivingMotion(options), 50, 50));
});

test('the first frame is the portrait', async () => {
  const { offsets, pose } = await new LivingMotion({ ...options, emotions: { happy: 1 } }).at(0);
  assert.ok(offsets.every((value) => value === 0) && pose.every((value) => Math.abs(value) === 0));
});

test('scales of zero leave what the source does', async () => {
  const offsets = new Float32Array(MESH_VALUES).fill(0.25);
  const source = { at: async () => ({ offsets, pose: new Float32Array(6) }) };
  const none = { expressionScale: 0, headPoseScale: 0, blinkScale: 0 };
  for (const frame of await clip(new LivingMotion({ ...options, source, ...none }), 0, 200)) {
    assert.deepEqual(frame.offsets, offsets);
    assert.ok(frame.pose.every((value) => Math.abs(value) === 0));
  }
});

test('the source’s own arrays stay as they are', async () => {
  const own = { offsets: new Float32Array(MESH_VALUES), pose: new Float32Array(6) };
  await clip(new LivingMotion({ ...options, source: { at: async () => own } }), 50, 20);
  assert.ok(own.offsets.every((value) => value === 0) && own.pose.every((value) => value === 0));
});

for (const [name, share, emotions] of [
  ['open eyes', 1, {}],
  ['half-closed eyes', 0.5, {}],
  ['smiling eyes', 1, { happy: 1 }],
  ['surprised eyes', 1, { surprised: 1 }],
] as const) {
  test(`blinks close ${name} wholly and never more`, async () => {
    const mesh = withEyes(CANONICAL, share);
    const frames = await clip(new LivingMotion({ ...options, mesh, emotions, fps: 50 }), 0, 500);
    const apertures = frames.map(({ offsets }) => eyeAperture(moved(mesh, offsets), 0));
    assert.ok(Math.min(...apertures) < 0.01, `${Math.min(...apertures)}`);
    for (const { offsets } of frames) {
      const shown = moved(mesh, offsets);
      assert.ok(shown[3 * 159 + 1]! >= shown[3 * 145 + 1]! - 1e-3);
    }
  });
}

test('emotions and life leave the distance of the lips to the speech', async () => {
  const source = new LivingMotion({ ...options, style: 'lively', emotions: { happy: 1, surprised: 0.5 } });
  const before = distance(CANONICAL, 13, 14);
  for (const { offsets } of await clip(source, 0, 250)) {
    assert.ok(Math.abs(distance(moved(CANONICAL, offsets), 13, 14) - before) < 1e-5);
  }
});

test('a head of the bundle’s own keeps its pose; only the emotion is added', async () => {
  const pose = Float32Array.of(1, 2, 3, 4, 5, 6);
  const source = { at: async () => ({ offsets: new Float32Array(MESH_VALUES), pose }) };
  const living = new LivingMotion({ ...options, source, generates: false, emotions: { sad: 1 } });
  const [a, b] = [await living.at(100), await living.at(200)];
  assert.deepEqual(a.pose, pose);
  assert.ok(a.offsets[3 * 61 + 1]! < -0.2);
  assert.deepEqual(a.offsets, b.offsets);
});

test('an idle face is alive, with its mouth closed', async () => {
  const frames = await clip(createIdleMotion({ fps: 25, mesh: CANONICAL, seed: 3 }), 0, 750);
  const pitches = frames.map(({ pose }) => pose[0]!);
  assert.ok(Math.max(...pitches) - Math.min(...pitches) > 1);
  let blinks = 0;
  frames.forEach(({ offsets }, frame) => {
    const shown = moved(CANONICAL, offsets);
    assert.ok(Math.abs(distance(shown, 13, 14) - distance(CANONICAL, 13, 14)) < 1e-5);
    const closed = eyeAperture(shown, 0) < 0.05;
    const before = frame > 0 && eyeAperture(moved(CANONICAL, frames[frame - 1]!.offsets), 0) < 0.05;
    if (closed && !before) blinks += 1;
  });
  assert.ok(blinks >= 5 && blinks <= 13, `${blinks} blinks in half a minute`);
});

test('numbers out of range are refused by name', () => {
  for (const [name, value] of [
    ['fps', 0],
    ['seed', -1],
    ['headPoseScale', 9],
    ['blinkScale', Number.NaN],
  ] as const) {
    assert.throws(
      () => new LivingMotion({ ...options, [name]: value }),
      (error) => error instanceof InvalidOptionError && error.option === name,
    );
  }
});
