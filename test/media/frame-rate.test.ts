import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactFrameRate, frameRateText, readFrameRate } from '../../src/media/frame-rate.ts';

test('decimals of the NTSC family mean its fractions', () => {
  for (const [written, base] of [
    [23.976, 24],
    [23.98, 24],
    [29.97, 30],
    [29.97002997, 30],
    [47.952, 48],
    [59.94, 60],
    [119.88, 120],
  ] as const) {
    assert.equal(exactFrameRate(written), (base * 1000) / 1001, String(written));
    assert.equal(frameRateText(exactFrameRate(written)), `${base * 1000}/1001`);
  }
});

test('other rates stay as they are', () => {
  for (const fps of [1, 12.5, 23.9, 24, 25, 29.9, 30, 50, 59.9, 60, 120]) {
    assert.equal(exactFrameRate(fps), fps);
    assert.equal(frameRateText(fps), String(fps));
  }
});

test('a fraction, a decimal and a whole number are read; other text stays text', () => {
  assert.equal(readFrameRate('30000/1001'), 30000 / 1001);
  assert.equal(readFrameRate(' 24000 / 1001 '), 24000 / 1001);
  assert.equal(readFrameRate('29.97'), 29.97);
  assert.equal(readFrameRate('25'), 25);
  for (const text of ['', 'fast', '30/', '/2', '30/0', '30:1', '-25', '1e2']) {
    assert.equal(readFrameRate(text), text);
  }
});
