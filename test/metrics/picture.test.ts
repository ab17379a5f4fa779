import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxAround, cutBox, unionOf } from '../../src/metrics/picture.ts';
import { waves } from './pictures.ts';

test('a part of a picture is cut at whole pixels within it', () => {
  const picture = waves(9, 7);
  const part = cutBox(picture, { left: 2.4, top: 3, right: 5.5, bottom: 30 });
  assert.deepEqual([part.width, part.height], [4, 4]);
  assert.deepEqual(
    [...part.data.subarray(0, 3)],
    [...picture.data.subarray((3 * 9 + 2) * 3, (3 * 9 + 3) * 3)],
  );
});

test('a box reaches around its points by the margin, and a union around both', () => {
  const box = boxAround([10, 20, 99, 30, 60, -99], 3, 0.1);
  assert.deepEqual(box, { left: 6, top: 16, right: 34, bottom: 64 });
  const both = unionOf(box, { left: 0, top: 30, right: 20, bottom: 70 });
  assert.deepEqual(both, { left: 0, top: 16, right: 34, bottom: 70 });
});
