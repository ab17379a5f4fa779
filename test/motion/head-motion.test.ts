import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHeadMotion, HEAD_LIMITS } from '../../src/motion/head-motion.ts';
import { Prosody } from '../../src/motion/prosody.ts';
import type { SpeakingStyle } from '../../src/motion/speaking-style.ts';
import { deviation, median, SAMPLE_RATE, speak } from './speech-fixture.ts';

const FPS = 25;
const SECONDS = 60;
const SEEDS = 6;
const speech = speak(SECONDS, { seed: 2 });
const prosody = new Prosody(speech.pcm, SAMPLE_RATE);
const silence = new Prosody(new Float32Array(0), SAMPLE_RATE);

/** Curves of pitch, yaw and roll, [seed][axis][frame]; frame by frame for all seeds, so that the voice is analysed once. */
function curves(style: SpeakingStyle, voice = prosody, seeds = SEEDS): number[][][] {
  const motions = Array.from({ length: seeds }, (_, i) =>
    createHeadMotion({ prosody: voice, seed: i + 1, scale: 1, style }),
  );
  const found = motions.map((): number[][] => [[], [], []]);
  const pose = new Float32Array(6);
  for (let frame = 0; frame < SECONDS * FPS; frame++) {
    for (const [i, motion] of motions.entries()) {
      motion(frame / FPS, pose, 0);
      for (const axis of [0, 1, 2]) found[i]![axis]!.push(pose[axis]!);
    }
  }
  return found;
}
const natural = curves('natural');
const lively = curves('lively', prosody, 4);

/** Standard deviation within clips of four seconds, in the middle of all of them. */
function usualDeviation(all: readonly number[][][], axis: number): number {
  const length = 4 * FPS;
  return median(
    all.flatMap((axes) => {
      const curve = axes[axis]!;
      return Array.from({ length: Math.floor(curve.length / length) }, (_, i) =>
        deviation(curve.slice(i * length, (i + 1) * length)),
      );
    }),
  );
}

/** Degrees a second. */
function meanSpeed(all: readonly number[][][], axis: number): number {
  const speeds = all.flatMap((axes) =>
    axes[axis]!.slice(1).map((value, i) => FPS * Math.abs(value - axes[axis]![i]!)),
  );
  return speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
}

test('a natural head moves as far within four seconds as in films of talks', () => {
  // Of films, measured in pictures: 2.3, 2.7 and 2.6 degrees; within 0.7 to 1.3 of them.
  [2.3, 2.7, 2.6].forEach((film, axis) => {
    const ours = usualDeviation(natural, axis);
    assert.ok(ours > 0.7 * film && ours < 1.3 * film, `axis ${axis}: ${ours.toFixed(2)} degrees`);
  });
});

test('a natural head moves as fast as in films, less what finding landmarks adds there', () => {
  // Of films, measured in pictures: 13, 9 and 7.5 degrees a second; a head at rest measures about 4, 3 and 1.
  [13, 9, 7.5].forEach((film, axis) => {
    const ours = meanSpeed(natural, axis);
    assert.ok(ours > 0.55 * film && ours < 1.1 * film, `axis ${axis}: ${ours.toFixed(1)} degrees a second`);
  });
});

test('most of the motion is slower than a second, a quarter is nods', () => {
  // Of films: .70 under 1 Hz, .25 from 1 to 3 Hz, .05 above.
  const shares = [0, 0, 0];
  for (const axes of natural) {
    const n = 4 * FPS;
    for (let from = 0; from + n <= axes[0]!.length; from += n) {
      const clip = axes[0]!.slice(from, from + n);
      const mean = clip.reduce((sum, value) => sum + value, 0) / n;
      for (let k = 1; k < n / 2; k++) {
        let [re, im] = [0, 0];
        clip.forEach((value, t) => {
          const windowed = (value - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * t) / n));
          re += windowed * Math.cos((2 * Math.PI * k * t) / n);
          im += windowed * Math.sin((2 * Math.PI * k * t) / n);
        });
        const frequency = (k * FPS) / n;
        shares[frequency <= 1 ? 0 : frequency <= 3 ? 1 : 2]! += re ** 2 + im ** 2;
      }
    }
  }
  const total = shares[0]! + shares[1]! + shares[2]!;
  const [slow, nods, fast] = shares.map((share) => share / total) as [number, number, number];
  assert.ok(slow > 0.6 && slow < 0.85, `${slow}`);
  assert.ok(nods > 0.15 && nods < 0.35, `${nods}`);
  assert.ok(fast < 0.08, `${fast}`);
});

test('a calm head moves a third as much, a lively one a third more', () => {
  const calm = curves('calm', prosody, 4);
  const ratio = (all: number[][][], axis: number): number =>
    usualDeviation(all, axis) / usualDeviation(natural, axis);
  assert.ok(ratio(calm, 0) > 0.25 && ratio(calm, 0) < 0.4, `${ratio(calm, 0)}`);
  for (const axis of [0, 1, 2]) {
    assert.ok(ratio(calm, axis) < 0.4, `${ratio(calm, axis)}`);
    assert.ok(ratio(lively, axis) > 1.15 && ratio(lively, axis) < 1.5, `${ratio(lively, axis)}`);
  }
});

test('the head begins at the portrait’s pose, moves smoothly, and keeps to its limits in every style', () => {
  for (const axes of [...natural, ...lively]) {
    for (const [axis, limit] of HEAD_LIMITS.entries()) {
      const curve = axes[axis]!;
      assert.equal(Math.abs(curve[0]!), 0);
      curve.forEach((value, frame) => {
        assert.ok(Math.abs(value) <= limit);
        const step = Math.abs(value - (curve[frame - 1] ?? 0));
        assert.ok(step < 3.8, `${step} degrees in frame ${frame}`);
      });
    }
  }
});

test('nothing repeats within a minute, and nothing drifts', () => {
  for (const axes of natural) {
    for (const curve of axes) {
      const mean = curve.reduce((sum, value) => sum + value, 0) / curve.length;
      const centred = curve.map((value) => value - mean);
      assert.ok(Math.abs(mean) < 2.5, `mean ${mean}`);
      // Ten seconds found again elsewhere would correlate by nearly 1.
      const length = 10 * FPS;
      for (let from = 0; from + 2 * length <= curve.length; from += 5 * FPS) {
        for (let lag = length; from + lag + length <= curve.length; lag += 5) {
          let [product, a, b] = [0, 0, 0];
          for (let i = from; i < from + length; i++) {
            product += centred[i]! * centred[i + lag]!;
            a += centred[i]! ** 2;
            b += centred[i + lag]! ** 2;
          }
          const correlation = product / Math.sqrt(a * b);
          assert.ok(correlation < 0.93, `${correlation} after ${lag / FPS} s`);
        }
      }
    }
  }
});

test('nods come with stressed syllables, not between them', () => {
  const stresses = speech.phrases.flatMap((phrase) => phrase.stresses);
  const motions = Array.from({ length: 10 }, (_, i) =>
    createHeadMotion({ prosody, seed: 100 + i, scale: 1 }),
  );
  const out = new Float32Array(6);
  /** Pitch at a time, of all seeds. */
  const pitch = (time: number): number => {
    let sum = 0;
    for (const motion of motions) {
      motion(time, out, 0);
      sum += out[0]!;
    }
    return sum / motions.length;
  };
  let [at, before] = [0, 0];
  for (const stress of stresses) {
    at += pitch(stress + 0.05) / stresses.length;
    before += pitch(stress - 0.35) / stresses.length;
  }
  assert.ok(at - before > 0.4, `${at} degrees at stresses, ${before} before`);
});

test('in silence the head is alive but calm', () => {
  const resting = curves('natural', silence, 4);
  for (const axis of [0, 1, 2]) {
    const ours = usualDeviation(resting, axis);
    assert.ok(ours > 0.25 && ours < 0.6 * usualDeviation(natural, axis), `axis ${axis}: ${ours}`);
  }
});

test('a scale of zero keeps the head still, another one multiplies its motion', () => {
  const [still, half, whole] = [0, 0.5, 1].map((scale) => createHeadMotion({ prosody, seed: 3, scale }));
  const [a, b, c] = [new Float32Array(6), new Float32Array(6), new Float32Array(6)];
  for (let time = 0; time < 20; time += 0.37) {
    still!(time, a, 0);
    half!(time, b, 0);
    whole!(time, c, 0);
    assert.deepEqual(a, new Float32Array(6));
    for (const axis of [0, 1, 2]) {
      if (Math.abs(c[axis]!) < 5) assert.ok(Math.abs(b[axis]! - c[axis]! / 2) < 1e-5);
    }
  }
});

test('the curve does not depend on the order in which times are asked for; seeds differ', () => {
  const out = () => new Float32Array(6);
  const [late, early, again, other] = [out(), out(), out(), out()];
  const motion = createHeadMotion({ prosody, seed: 8, scale: 1 });
  motion(50.2, late, 0);
  motion(1.7, early, 0);
  for (let time = 0; time < 50; time += 0.5) motion(time, again, 0);
  motion(50.2, again, 0);
  assert.deepEqual(again, late);
  createHeadMotion({ prosody, seed: 9, scale: 1 })(50.2, other, 0);
  assert.notDeepEqual(other, late);
});
