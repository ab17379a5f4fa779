import assert from 'node:assert/strict';
import { test } from 'node:test';
import { regionFromBox, regionFromLandmarks, sampleRegion } from '../../src/face/region.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FLOAT32 = { rtol: 1e-6, atol: 1e-4 };
const plain = { scale: 1, offset: 0, border: 'zero' } as const;

/** Red is the column, green the row, blue 7. */
function ramp(width: number, height: number) {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 7], i * 3);
  return { data, width, height };
}

test('a region of the image in its own resolution is the image', () => {
  const region = { centerX: 10, centerY: 12, side: 8, rotation: 0 };
  const { data, dims } = sampleRegion(ramp(32, 32), region, { size: 8, ...plain });
  assert.deepEqual(dims, [1, 8, 8, 3]);
  assertAllClose(data.subarray(0, 6), [6, 8, 7, 7, 8, 7], FLOAT32);
  assertAllClose(data.subarray(-3), [13, 15, 7], FLOAT32);
});

test('a region turned by 90° has its x axis down the image', () => {
  const region = { centerX: 16, centerY: 16, side: 4, rotation: Math.PI / 2 };
  const { data } = sampleRegion(ramp(32, 32), region, { size: 4, ...plain });
  assertAllClose(data.subarray(0, 6), [17, 14, 7, 17, 15, 7], FLOAT32);
});

test('shrinking averages, so that detail does not alias', () => {
  const stripes = {
    ...ramp(64, 64),
    data: new Uint8Array(64 * 64 * 3).map((_, i) => (Math.floor(i / 3) % 2) * 200),
  };
  const region = { centerX: 32, centerY: 32, side: 64, rotation: 0 };
  const { data } = sampleRegion(stripes, region, { size: 16, ...plain });
  assertAllClose(data.subarray(48, 96), new Float32Array(48).fill(100), { rtol: 0, atol: 15 });
});

test('outside of the image is black or the nearest pixel, scaled and shifted', () => {
  const region = { centerX: -10, centerY: 5, side: 4, rotation: 0 };
  const options = { size: 2, scale: 2, offset: 1 };
  const zero = sampleRegion(ramp(16, 16), region, { ...options, border: 'zero' });
  assertAllClose(zero.data, new Float32Array(12).fill(1), FLOAT32);
  const nearest = sampleRegion(ramp(16, 16), region, { ...options, border: 'replicate' });
  assertAllClose(nearest.data.subarray(0, 3), [1, 2 * 3.5 + 1, 15], FLOAT32);
});

test('the region is a square of 1.5 times the box, turned as the eyes are', () => {
  const region = regionFromBox({ x: 10, y: 20, width: 100, height: 80 }, [30, 50], [80, 100]);
  assert.deepEqual(region, { centerX: 60, centerY: 60, side: 150, rotation: Math.PI / 4 });
});

test('landmarks give the same region as their box and eye corners', () => {
  const points = new Float64Array(468 * 3).fill(50);
  points.set([20, 40, 0], 33 * 3);
  points.set([90, 40, 0], 263 * 3);
  points.set([50, 120, 0], 152 * 3);
  assert.deepEqual(regionFromLandmarks(points), { centerX: 55, centerY: 80, side: 120, rotation: 0 });
});
