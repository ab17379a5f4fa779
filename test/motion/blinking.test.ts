import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBlinking } from '../../src/motion/blinking.ts';
import { createGaze } from '../../src/motion/gaze.ts';
import { Prosody } from '../../src/motion/prosody.ts';
import { SAMPLE_RATE, speak } from './speech-fixture.ts';

const SECONDS = 60;
const { pcm, phrases } = speak(SECONDS, { seed: 2 });
const prosody = new Prosody(pcm, SAMPLE_RATE);
const STEP = 0.02;

function blinkingOf(seed: number) {
  return createBlinking({ seed, prosody, glances: createGaze({ seed, prosody }).jumps });
}

/** A blink: when the lids begin to fall, and how long and how far they are moved. */
interface Blink {
  readonly start: number;
  duration: number;
  most: number;
}

/** Blinks of several seeds, moment by moment for all, so that the voice is analysed once. */
function blinks(seeds: readonly number[]): Blink[][] {
  const followed = seeds.map((seed) => ({ blinking: blinkingOf(seed), found: [] as Blink[], before: 0 }));
  for (let time = 0; time < SECONDS; time += STEP) {
    for (const each of followed) {
      const now = each.blinking(time);
      assert.ok(now >= 0 && now <= 1);
      if (each.before === 0 && now > 0) each.found.push({ start: time, duration: 0, most: 0 });
      const last = each.found.at(-1);
      if (now > 0 && last !== undefined) {
        last.duration += STEP;
        last.most = Math.max(last.most, now);
      }
      each.before = now;
    }
  }
  // One that continues after the end is not seen wholly.
  return followed.map(({ found }) => found.filter(({ start }) => start < SECONDS - 1));
}

const all = blinks(Array.from({ length: 12 }, (_, i) => i + 1));

test('people blink 15 to 20 times a minute, irregularly', () => {
  const rates = all.map((list) => (60 * list.length) / SECONDS);
  const rate = rates.reduce((sum, value) => sum + value, 0) / rates.length;
  assert.ok(rate > 15 && rate < 20, `${rate} a minute`);
  for (const value of rates) assert.ok(value >= 9 && value <= 28, `${value} a minute`);
  const intervals = all.flatMap((list) => list.slice(1).map(({ start }, i) => start - list[i]!.start));
  assert.ok(Math.max(...intervals) > 6 && Math.min(...intervals) < 1.5);
});

test('every blink closes the eyes wholly, for at least a frame of 25 a second', () => {
  for (const { start, duration, most } of all.flat()) {
    assert.equal(most, 1);
    assert.ok(start >= 0.5);
    assert.ok(duration > 0.2 && duration < 0.75, `${duration} s`);
  }
  const blinking = blinkingOf(1);
  for (const { start, duration } of all[0]!) {
    const frames = Array.from({ length: 20 }, (_, i) => blinking((Math.floor(start * 25) + i) / 25));
    assert.ok(Math.max(...frames) > 0.95, `${Math.max(...frames)} in ${duration} s`);
  }
});

test('blinks fall on the ends of phrases more often than by chance', () => {
  const ends = phrases.map(({ end }) => end);
  const isNear = (time: number): boolean => ends.some((end) => Math.abs(time - end) < 0.25);
  const list = all.flat();
  const share = list.filter(({ start }) => isNear(start)).length / list.length;
  const chance = (0.5 * ends.length) / SECONDS;
  assert.ok(share > 1.8 * chance, `${share} near ends, ${chance} by chance`);
});

test('blinks at a late time do not depend on earlier questions', () => {
  const [a, b] = [blinkingOf(9), blinkingOf(9)];
  for (let time = 0; time < 40; time += 0.1) a(time);
  for (let time = 40; time < 50; time += 0.02) assert.equal(b(time), a(time));
});
