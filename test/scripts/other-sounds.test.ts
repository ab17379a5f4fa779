import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breaths, coughs, pauseWith, rootMeanSquare, speechLevel } from '../../scripts/lib/other-sounds.ts';

const RATE = 16000;

/** A tone that is as loud all the time, but for a gap of 0.2 s after 1.1 s. */
const voice = Float32Array.from({ length: 2 * RATE }, (_, i) =>
  Math.abs(i / RATE - 1.2) < 0.1 ? 0 : 0.2 * Math.sin((2 * Math.PI * 200 * i) / RATE),
);

test('the level of a voice does not count its pauses', () => {
  assert.ok(Math.abs(speechLevel(voice) - 0.2 / Math.SQRT2) < 1e-3, `${speechLevel(voice)}`);
});

test('a pause is put where the voice is silent, and is as loud as it is asked to be', () => {
  const sound = new Float32Array(RATE).fill(1);
  const { pcm, start, end } = pauseWith(voice, sound, -20);
  assert.equal(pcm.length, 3 * RATE);
  assert.ok(start >= 1.1 && start <= 1.3, `the pause begins at ${start} s`);
  assert.ok(Math.abs(end - start - 1) < 1e-9);
  const inside = pcm.subarray(Math.round(start * RATE), Math.round(end * RATE));
  const expected = 0.02 / Math.SQRT2;
  assert.ok(inside.every((value) => Math.abs(value - expected) < 1e-4));
  // What comes before and after is the voice.
  assert.ok(pcm.subarray(0, RATE).every((value, i) => value === voice[i]));
  assert.ok(pcm.subarray(-RATE / 2).every((value, i) => value === voice[1.5 * RATE + i]));
});

for (const [name, make] of [
  ['breaths', breaths],
  ['coughs', coughs],
] as const) {
  test(`${name} follow from their seed, and leave silence between them`, () => {
    const sound = make(4, 1);
    assert.equal(sound.length, 4 * RATE);
    assert.deepEqual(make(4, 1), sound);
    assert.notDeepEqual(make(4, 2), sound);
    const blocks = Array.from({ length: 80 }, (_, i) =>
      rootMeanSquare(sound.subarray(i * 800, (i + 1) * 800)),
    );
    assert.ok(blocks.filter((level) => level > 0.2 && level < 3).length > 10, `${blocks}`);
    assert.ok(sound.filter((value) => value === 0).length > RATE / 2);
  });
}
