import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PitchFinder } from '../../src/motion/pitch.ts';
import { whiteNoise } from './speech-fixture.ts';

const RATE = 8000;
/** A tone of `harmonics` of a frequency; the fundamental is the loudest unless `weak`. */
function tone(frequency: number, harmonics: number, weak = false): Float32Array {
  return Float32Array.from({ length: 1200 }, (_, i) => {
    let value = 0;
    for (let h = 1; h <= harmonics && h * frequency < RATE / 2; h++) {
      value += (weak && h === 1 ? 0.05 : 1 / h) * Math.sin((2 * Math.PI * h * frequency * i) / RATE + h);
    }
    return 0.1 * value;
  });
}

for (const frequency of [70, 98.7, 120, 213.3, 310, 440]) {
  for (const [name, samples] of [
    ['a pure tone', tone(frequency, 1)],
    ['a rich tone', tone(frequency, 12)],
    ['a tone with a faint fundamental', tone(frequency, 8, true)],
  ] as const) {
    test(`${name} of ${frequency} Hz is found within half a percent`, () => {
      const found = new PitchFinder(RATE).find(samples, 100);
      assert.ok(Math.abs(found.frequency / frequency - 1) < 0.005, `${found.frequency} Hz`);
      assert.ok(found.periodicity > 0.9, `${found.periodicity}`);
    });
  }
}

test('noise and silence have no period', () => {
  const finder = new PitchFinder(RATE);
  const noise = whiteNoise(1, 0.1);
  for (let from = 0; from < 5000; from += 500) {
    const { periodicity } = finder.find(noise, from);
    assert.ok(periodicity < 0.5, `${periodicity}`);
  }
  assert.equal(finder.find(new Float32Array(finder.length), 0).periodicity, 0);
});
