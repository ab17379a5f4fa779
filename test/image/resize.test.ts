import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { InvalidOptionError, ShapeError } from '../../src/errors.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { type ResampleFilter, Resampler, resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { fc } from '../helpers/fast-check.ts';

interface Golden {
  width: number;
  height: number;
  data: number[];
  cases: {
    filter: ResampleFilter;
    width: number;
    height: number;
    box: [number, number, number, number] | null;
    data: number[];
  }[];
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../golden/resize/resize.json', import.meta.url), 'utf8'),
);
const image: RgbImage = { ...golden, data: Uint8Array.from(golden.data) };
/** Pillow rounds once more, between its two passes. */
const ROUNDING = 1;

for (const { filter, width, height, box, data } of golden.cases) {
  test(`${filter} to ${width}×${height} of ${box ? `[${box.join(', ')}]` : 'all'} matches the reference`, () => {
    const [left, top, right, bottom] = box ?? [0, 0, image.width, image.height];
    const resampler = new Resampler({
      sourceWidth: image.width,
      sourceHeight: image.height,
      targetWidth: width,
      targetHeight: height,
      box: { x: left, y: top, width: right - left, height: bottom - top },
      filter,
    });
    const actual = resampler.apply(image);
    assert.deepEqual([actual.width, actual.height], [width, height]);
    const errors = data.map((value, i) => Math.abs(actual.data[i]! - value));
    assert.ok(Math.max(...errors) <= ROUNDING, `${Math.max(...errors)} at most`);
  });
}

for (const filter of ['area', 'bilinear', 'bicubic', 'lanczos'] as const) {
  test(`${filter} keeps a flat picture flat, whatever the sizes and the box`, () => {
    const size = fc.integer({ min: 1, max: 40 });
    const position = fc.double({ min: -30, max: 30, noNaN: true });
    const side = fc.double({ min: 0.3, max: 60, noNaN: true });
    fc.assert(
      fc.property(size, size, size, position, position, side, (width, height, target, x, y, length) => {
        const flat = { width, height, data: new Uint8Array(width * height * 3).fill(137) };
        const result = cropSquare(flat, { x, y, size: length }, target, filter);
        assert.ok(result.data.every((value) => value === 137));
      }),
      { numRuns: 60 },
    );
  });

  test(`${filter} at the same size returns the same picture`, () => {
    assert.deepEqual(resizeImage(image, image.width, image.height, filter).data, image.data);
  });
}

test('a crop beyond the picture repeats its edge', () => {
  const crop = cropSquare(image, { x: -4, y: -4, size: 4 }, 4, 'area');
  for (let i = 0; i < 16; i++) assert.deepEqual(crop.data.slice(i * 3, i * 3 + 3), image.data.slice(0, 3));
});

test('bad sizes and boxes are refused', () => {
  assert.throws(() => resizeImage(image, 0, 5), InvalidOptionError);
  assert.throws(() => resizeImage(image, 5.5, 5), InvalidOptionError);
  assert.throws(() => cropSquare(image, { x: Number.NaN, y: 0, size: 4 }, 4), InvalidOptionError);
  assert.throws(() => cropSquare(image, { x: 0, y: 0, size: 0 }, 4), InvalidOptionError);
  const sizes = { sourceWidth: 4, sourceHeight: 4, targetWidth: 2, targetHeight: 2 };
  assert.throws(() => new Resampler(sizes).apply(image), ShapeError);
});
