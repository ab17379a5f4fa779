import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measurePhones, phoneTargets } from '../../scripts/lib/phone-openings.ts';
import { encodeWav } from '../../scripts/lib/wav.ts';
import { bestLag, correlation, cosine, mean } from '../../src/metrics/series.ts';

const wave = (shift: number) => Array.from({ length: 50 }, (_, i) => Math.sin((i - shift) * 0.7) + (i % 7));

test('a series that comes later has a lag above 0', () => {
  const driver = Array.from({ length: 60 }, (_, i) => Math.sin(i * i * 0.05));
  const follower = driver.map((_, i) => 2 * (driver[i - 3] ?? 0) + 1);
  assert.equal(bestLag(driver, follower, 5), 3);
  assert.equal(bestLag(follower, driver, 5), -3);
});

test('correlation leaves out frames without a measurement', () => {
  const a = wave(0);
  const b = a.map((value, i) => (i === 4 ? Number.NaN : 5 - 3 * value));
  assert.ok(Math.abs(correlation(a, b) + 1) < 1e-12);
  assert.ok(Number.isNaN(correlation(a, new Array(50).fill(2))));
  assert.equal(mean([1, Number.NaN, 3]), 2);
  assert.ok(Math.abs(cosine(Float32Array.of(1, 0), Float32Array.of(1, 1)) - Math.SQRT1_2) < 1e-7);
});

test('openings are read at the phones of the frames', () => {
  // 10 frames a second: silence to 0.5 s, M until 0.7 s, then a vowel.
  const openings = [0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.2, 0.6, 1, 1, 1];
  const { silence, closed, vowels } = measurePhones(openings, 10, [
    { start: 0, end: 0.5, name: 'SIL' },
    { start: 0.5, end: 0.69, name: 'M' },
    { start: 0.8, end: 1, name: 'AA' },
  ]);
  assert.ok(Math.abs(silence - 0.2) < 1e-9); // the ends of a pause are left out: frames 1 to 4
  assert.equal(closed, 0.2);
  assert.equal(vowels, 1);
});

test('a WAV file holds 16 bit samples, clipped', () => {
  const bytes = encodeWav(Float32Array.of(0, 0.5, -2), 16000);
  assert.equal(bytes.toString('latin1', 0, 4), 'RIFF');
  assert.equal(bytes.readUInt32LE(24), 16000);
  assert.equal(bytes.length, 50);
  assert.deepEqual(
    [0, 1, 2].map((i) => bytes.readInt16LE(44 + 2 * i)),
    [0, 16384, -32767],
  );
});

test('phones say where the mouth is open, closed, or free', () => {
  const phones = [
    { start: 0, end: 0.1, name: 'SIL' },
    { start: 0.1, end: 0.2, name: 'AA' },
    { start: 0.2, end: 0.3, name: 'S' },
    { start: 0.3, end: 0.4, name: 'M' },
  ];
  assert.deepEqual(phoneTargets(5, 10, phones), [0, 1, Number.NaN, 0, Number.NaN]);
});
