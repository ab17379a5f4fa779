import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlickerMeter } from '../../src/metrics/temporal-change.ts';
import { golden } from './golden.ts';
import { waves } from './pictures.ts';

test('second differences in time match numpy, inside and outside of the box', () => {
  const { shifts, width, height, box, ...expected } = golden.flicker;
  const meter = new FlickerMeter(box);
  for (const shift of shifts) meter.add(waves(width, height, shift));
  const { inside, outside } = meter.result();
  assert.ok(Math.abs(inside - expected.inside) < 1e-9, `${inside}`);
  assert.ok(Math.abs(outside - expected.outside) < 1e-9, `${outside}`);
});

test('a picture that changes evenly does not flicker; two frames are too few', () => {
  const meter = new FlickerMeter({ left: 2, top: 2, right: 6, bottom: 6 });
  for (let t = 0; t < 5; t++) {
    if (t < 3) assert.ok(Number.isNaN(meter.result().inside));
    meter.add({ data: new Uint8Array(10 * 8 * 3).fill(40 + 7 * t), width: 10, height: 8 });
  }
  assert.deepEqual(meter.result(), { inside: 0, outside: 0 });
});
