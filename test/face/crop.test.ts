import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameAround, squareCrop } from '../../src/face/crop.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { fc } from '../helpers/fast-check.ts';

const DOUBLE = { rtol: 1e-12, atol: 1e-9 };
/** Corner points of a face of 80 × 100 px around (x, y). */
const faceAt = (x: number, y: number): number[] => [x - 40, y - 50, x + 40, y + 50];
const values = ({ x, y, side }: { x: number; y: number; side: number }): number[] => [x, y, side];

test('with room the square is 1.7 faces wide, a little above the face', () => {
  assertAllClose(values(squareCrop(faceAt(500, 500), 1000, 1000)), [500 - 85, 492 - 85, 170], DOUBLE);
});

test('near an edge the square shrinks around the face', () => {
  assertAllClose(values(squareCrop(faceAt(75, 500), 1000, 1000)), [0, 492 - 75, 150], DOUBLE);
});

test('nearer still it keeps 1.35 faces and moves inside', () => {
  assertAllClose(values(squareCrop(faceAt(500, 55), 1000, 1000)), [500 - 67.5, 0, 135], DOUBLE);
  assertAllClose(values(squareCrop(faceAt(500, 950), 1000, 1000)), [500 - 67.5, 865, 135], DOUBLE);
});

test('a face that fills the picture gets a square that reaches over the edges and covers the picture', () => {
  const { x, y, side } = squareCrop(faceAt(45, 55), 90, 110);
  assert.equal(side, 135);
  assert.ok(x <= 0 && x + side >= 90);
  assert.ok(y <= 0 && y + side >= 110);
});

test('wherever the face is, the square holds it and leaves the picture only when it must', () => {
  const size = fc.integer({ min: 120, max: 2000 });
  fc.assert(
    fc.property(
      size,
      size,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (width, height, u, v) => {
        const [centerX, centerY] = [40 + u * (width - 80), 50 + v * (height - 100)];
        const { x, y, side } = squareCrop(faceAt(centerX, centerY), width, height);
        assert.ok(side >= 135 - 1e-9 && side <= 170 + 1e-9);
        const epsilon = 1e-6;
        assert.ok(
          x <= centerX - 40 + epsilon && x + side >= centerX + 40 - epsilon,
          'holds the face sideways',
        );
        assert.ok(
          y <= centerY - 50 + epsilon && y + side >= centerY + 50 - epsilon,
          'holds the face upwards',
        );
        if (side <= width) assert.ok(x >= -epsilon && x + side <= width + epsilon);
        if (side <= height) assert.ok(y >= -epsilon && y + side <= height + epsilon);
      },
    ),
  );
});

test('a rectangle around a square is centred on it, as wide or as high as it, and moved into the picture', () => {
  const square = { x: 100, y: 100, side: 200 };
  const image = { width: 512, height: 512 };
  assert.deepEqual(frameAround(square, 1, image), { x: 100, y: 100, width: 200, height: 200 });
  assert.deepEqual(frameAround(square, 2 / 3, image), { x: 100, y: 50, width: 200, height: 300 });
  assert.deepEqual(frameAround(square, 2, image), { x: 0, y: 100, width: 400, height: 200 });
  assert.deepEqual(frameAround({ x: 30, y: 280, side: 200 }, 1.5, image), {
    x: 0,
    y: 280,
    width: 300,
    height: 200,
  });
  // Made a little smaller for a side that is too long, and no smaller than a face needs.
  assert.deepEqual(frameAround({ x: 50, y: 100, side: 300 }, 0.5, image), {
    x: 72,
    y: 0,
    width: 256,
    height: 512,
  });
  const over = frameAround({ x: 0, y: 0, side: 500 }, 1 / 3, image);
  assert.equal(over.width, Math.round((500 * 1.35) / 1.7));
  assert.ok(over.y <= 0 && over.y + over.height >= image.height);
});
