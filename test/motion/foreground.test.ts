import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foregroundShare } from '../../src/motion/foreground.ts';
import { voicePower } from '../../src/motion/loudness.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { golden } from './motion-fixture.ts';

const RATE = 16000;
const config = parseMotionConfig(golden.config, 'network.json');

/** A tone at these levels in decibels, one second each; the first is the speaker. */
function levels(...decibels: readonly number[]): Float32Array {
  return Float32Array.from(
    { length: decibels.length * RATE },
    (_, i) => 0.1 * 10 ** (decibels[Math.floor(i / RATE)]! / 20) * Math.sin((2 * Math.PI * 200 * i) / RATE),
  );
}

function shares(pcm: Float32Array, first = 0, count = Math.floor(pcm.length / 320)): Float32Array {
  return foregroundShare({ config, pcm, voice: voicePower(pcm, config), first, count });
}

test('what is far beneath the speech is the background, but for 0.3 s after the speech and half a second before it', () => {
  const share = shares(levels(0, 0, -16, -16, 0, 0));
  for (let i = 0; i < share.length; i++) {
    const time = i / 50;
    if (time > 2.4 && time < 3.4) assert.equal(share[i], 0, `at ${time} s`);
    if (time < 2.2 || time > 3.6) assert.ok(share[i]! > 0.999, `at ${time} s`);
  }
});

test('a voice that speaks lower by 3 dB is still the speaker', () => {
  assert.ok(shares(levels(0, 0, -3, -3, -3)).every((share) => share > 0.999));
});

test('somebody else in the background does not count for being heard longer than the speaker', () => {
  const share = shares(levels(0, -13, -13, -13, -13, -13));
  for (let i = 0; i < share.length; i++) {
    const time = i / 50;
    if (time < 1.2) assert.ok(share[i]! > 0.999, `at ${time} s`);
    if (time > 1.5) assert.equal(share[i], 0, `at ${time} s`);
  }
});

test('what counts is how loud a sound is against the speech, not by itself', () => {
  const loud = levels(0, 0, -16, -16);
  assert.deepEqual(
    shares(loud).map((share) => Math.round(1e4 * share)),
    shares(loud.map((value) => value / 16)).map((share) => Math.round(1e4 * share)),
  );
});

test('a part of a clip is heard as in the whole', () => {
  const pcm = levels(0, -3, -16, -9, -6, 0);
  assert.deepEqual(shares(pcm, 70, 120), shares(pcm).slice(70, 190));
});
