import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseAmplification, chooseFrames, differencePicture } from '../../src/compare/draw-strip.ts';
import { waves } from '../metrics/pictures.ts';

test('frames that differ most are shown, not neighbours of each other, and some between', () => {
  const psnr = new Array<number>(100).fill(40);
  psnr[10] = 20;
  psnr[11] = 21;
  psnr[60] = 25;
  const chosen = chooseFrames(psnr);
  assert.ok(chosen.includes(10) && chosen.includes(60) && !chosen.includes(11));
  assert.ok(chosen.includes(50) && chosen.includes(83));
  assert.deepEqual(chooseFrames([30]), [0]);
});

test('differences are amplified as far as they fit, around grey', () => {
  const a = { data: new Uint8Array(300).fill(100), width: 10, height: 10 };
  const b = { ...a, data: a.data.map((value) => value + 20) };
  assert.equal(chooseAmplification([[a, b]]), 4);
  assert.equal(chooseAmplification([[a, a]]), 16);
  assert.deepEqual([...differencePicture(b, a, 4).data.subarray(0, 2)], [208, 208]);
  assert.equal(differencePicture(a, { ...a, data: a.data.map(() => 0) }, 4).data[0], 255); // not wrapped around
  assert.equal(chooseAmplification([[waves(20, 20), { ...waves(20, 20), data: new Uint8Array(1200) }]]), 1);
});
