import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, formatBytes, formatSeconds } from '../../src/cli/format.ts';

test('seconds are rounded to what matters, and never to 60', () => {
  const texts: Record<number, string> = {
    0: '0.0 s',
    0.84: '0.8 s',
    9.94: '9.9 s',
    9.96: '10 s',
    59.4: '59 s',
    59.6: '1 min 00 s',
    125: '2 min 05 s',
    3599.4: '59 min 59 s',
    3599.6: '1 h 00 min',
    7260: '2 h 01 min',
  };
  for (const [seconds, text] of Object.entries(texts)) assert.equal(formatSeconds(Number(seconds)), text);
});

test('bytes get the unit that keeps them short', () => {
  const texts: Record<number, string> = {
    0: '0 B',
    999: '999 B',
    1000: '1.0 kB',
    812000000: '812 MB',
    999600000: '1.0 GB',
    25300000000: '25.3 GB',
  };
  for (const [bytes, text] of Object.entries(texts)) assert.equal(formatBytes(Number(bytes)), text);
});

test('one frame is not frames', () => {
  assert.deepEqual([count(1, 'frame'), count(0, 'frame')], ['1 frame', '0 frames']);
});
