import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPEECH_REACH, speechShare } from '../../src/motion/music.ts';

const VOICE = 0.01;
/** Six seconds at 50 a second. */
const COUNT = 300;

/** @param sounds - whether something is heard at an output. */
function shares(opening: (i: number) => number, sounds: (i: number) => boolean = () => true): Float32Array {
  const outputs = Array.from({ length: COUNT }, (_, i) => i);
  return speechShare(
    Float32Array.from(outputs, opening),
    Float64Array.from(outputs, (i) => (sounds(i) ? VOICE / 10 : VOICE / 1000)),
    VOICE,
  );
}

/** Vowels three times a second, between closed lips, as wide as this in cm. */
const syllables =
  (width: number) =>
  (i: number): number =>
    width * Math.max(0, Math.sin((2 * Math.PI * 3 * i) / 50));

test('what goes on and never opens the mouth wide is no speech', () => {
  const share = shares(syllables(0.75));
  for (let i = SPEECH_REACH; i < COUNT - SPEECH_REACH; i++) assert.equal(share[i], 0, `${i}`);
});

test('what opens the mouth as wide as a vowel is speech, with all that is said within a second of it', () => {
  assert.ok(shares(syllables(1.1)).every((share) => share === 1));
  const wide = 150;
  const share = shares((i) => (Math.abs(i - wide) < 4 ? 1.2 : 0.4));
  for (let i = SPEECH_REACH; i < COUNT - SPEECH_REACH; i++) {
    if (Math.abs(i - wide) <= 50) assert.equal(share[i], 1, `${i}`);
    else if (Math.abs(i - wide) > 54) assert.equal(share[i], 0, `${i}`);
  }
});

test('a word with silence around it is speech, however narrow its vowels are', () => {
  const word = (i: number): boolean => i >= 120 && i < 160;
  assert.ok(shares((i) => (word(i) ? 0.5 : 0), word).every((share) => share === 1));
});

test('between the two there is no step', () => {
  const share = Array.from({ length: 60 }, (_, k) => shares(() => 0.7 + k / 100)[150]!);
  assert.deepEqual(
    share,
    [...share].sort((a, b) => a - b),
  );
  for (let k = 1; k < share.length; k++) assert.ok(share[k]! - share[k - 1]! < 0.08);
  assert.deepEqual([share[0], share.at(-1)], [0, 1]);
});
