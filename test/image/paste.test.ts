import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidOptionError, ShapeError } from '../../src/errors.ts';
import { cropSquare } from '../../src/image/crop.ts';
import { featheredMask, PasteBack } from '../../src/image/paste.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { psnr } from '../helpers/media.ts';

function smooth(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    return 128 + 50 * Math.sin(x / 9 + (i % 3)) + 50 * Math.cos(y / 7);
  });
  return { data, width, height };
}

function flat(width: number, height: number, value: number): RgbImage {
  return { data: new Uint8Array(width * height * 3).fill(value), width, height };
}

const full = smooth(120, 90);
const original = Uint8Array.from(full.data);

test('a crop pasted where it was cut from gives the picture back', () => {
  for (const [x, y, size, cropSize] of [
    [20, 10, 64, 64],
    [20.4, 10.7, 60.3, 64],
    [-9.5, 30.2, 80, 128],
    [70, 50, 70.5, 96],
  ] as const) {
    const box = { x, y, size };
    const result = new PasteBack({ full, cropSize, box }).apply(cropSquare(full, box, cropSize));
    const quality = psnr(result.data, original);
    assert.ok(quality > 45, `${quality.toFixed(1)} dB for a box at ${x}, ${y} of ${size}`);
  }
  assert.deepEqual(full.data, original);
});

test('nothing changes outside the box, also when it reaches beyond the picture', () => {
  const position = fc.double({ min: -150, max: 150, noNaN: true });
  fc.assert(
    fc.property(position, position, fc.double({ min: 0.5, max: 200, noNaN: true }), (x, y, size) => {
      const { data } = new PasteBack({ full, cropSize: 16, box: { x, y, size } }).apply(flat(16, 16, 255));
      for (let row = 0; row < full.height; row++) {
        for (let column = 0; column < full.width; column++) {
          const inside = column + 0.5 > x && column + 0.5 < x + size && row + 0.5 > y && row + 0.5 < y + size;
          if (inside) continue;
          const i = (row * full.width + column) * 3;
          assert.deepEqual(
            [data[i], data[i + 1], data[i + 2]],
            [original[i], original[i + 1], original[i + 2]],
          );
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('the mask weighs: 0 keeps the picture, 1 takes the crop, a half takes the mean', () => {
  const box = { x: 10, y: 10, size: 32 };
  for (const [opacity, expected] of [
    [0, 100],
    [0.5, 150],
    [1, 200],
  ] as const) {
    const mask = { data: new Float32Array(32 * 32).fill(opacity), size: 32 };
    const paste = new PasteBack({ full: flat(60, 60, 100), cropSize: 32, box, mask });
    const { data } = paste.apply(flat(32, 32, 200));
    assert.equal(data[(26 * 60 + 26) * 3], expected);
    assert.equal(data[(5 * 60 + 5) * 3], 100);
  }
});

test('a reused picture gets the same pixels as a new one', () => {
  const paste = new PasteBack({ full, cropSize: 32, box: { x: 12.2, y: 8.9, size: 51 } });
  const reused = paste.apply(flat(32, 32, 10));
  assert.equal(paste.apply(flat(32, 32, 250), reused), reused);
  assert.deepEqual(reused.data, paste.apply(flat(32, 32, 250)).data);
});

test('the feathered mask is 1 in the middle, falls to the border without steps, and is symmetric', () => {
  const size = 64;
  const { data } = featheredMask(size, 0.2);
  assert.equal(data[32 * size + 32], 1);
  assert.ok(data[0] === 0 && data[32 * size]! < 0.01);
  for (let x = 1; x < size; x++) assert.ok(Math.abs(data[32 * size + x]! - data[32 * size + x - 1]!) < 0.13);
  for (let i = 0; i < size * size; i++) assert.equal(data[i], data[size * size - 1 - i]);
});

test('pictures of another size and bad boxes are refused', () => {
  const paste = new PasteBack({ full, cropSize: 32, box: { x: 0, y: 0, size: 40 } });
  assert.throws(() => paste.apply(flat(31, 32, 0)), ShapeError);
  assert.throws(() => paste.apply(flat(32, 32, 0), flat(9, 9, 0)), ShapeError);
  const box = { x: 0, y: Number.POSITIVE_INFINITY, size: 40 };
  assert.throws(() => new PasteBack({ full, cropSize: 32, box }), InvalidOptionError);
});
