import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EyeGaze } from '../../src/face/eye-gaze.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const SIZE = 512;
/** Corners and the middles of the lids, the picture's left one first. */
const EYES = [
  { left: 33, right: 133, upper: 159, lower: 145 },
  { left: 362, right: 263, upper: 386, lower: 374 },
] as const;
const [WHITE, IRIS, SKIN] = [230, 60, 170];
const points = projectMesh(loadFaceMesh().vertices, poseToMatrix([0, 0, 0, 0, 0, -22]), SIZE, SIZE);
const x = (point: number): number => points[2 * point]!;
const y = (point: number): number => points[2 * point + 1]!;
const middleOf = ({ left, right, upper, lower }: (typeof EYES)[number]) => ({
  cx: (x(left) + x(right)) / 2,
  cy: (y(upper) + y(lower)) / 2,
  width: x(right) - x(left),
});

/** Grey skin, white eyes, and in each a dark iris, unless `withIrises` is false. */
function face(withIrises = true): RgbImage {
  const data = new Uint8Array(SIZE * SIZE * 3).fill(SKIN);
  for (const eye of EYES) {
    const { cx, cy, width } = middleOf(eye);
    for (let row = Math.floor(cy - width / 2); row < cy + width / 2; row++) {
      for (let column = Math.floor(x(eye.left)); column < x(eye.right); column++) {
        const isIris = withIrises && Math.hypot(column + 0.5 - cx, row + 0.5 - cy) < 0.2 * width;
        data.fill(isIris ? IRIS : WHITE, 3 * (row * SIZE + column), 3 * (row * SIZE + column) + 3);
      }
    }
  }
  return { data, width: SIZE, height: SIZE };
}

function packed({ data }: RgbImage): Uint32Array {
  return Uint32Array.from(
    { length: SIZE * SIZE },
    (_, i) => data[3 * i]! | (data[3 * i + 1]! << 8) | (data[3 * i + 2]! << 16),
  );
}

/** A picture whose pixels are `pixels`. */
function changing(pixels: Uint32Array) {
  return {
    replace: (at: Uint32Array, colours: Uint32Array): void => {
      for (let i = 0; i < at.length; i++) pixels[at[i]!] = colours[i]!;
    },
  };
}

/** Column of the dark pixels' centre along the middle of an eye. */
function irisCentre(pixels: Uint32Array, eye: (typeof EYES)[number]): number {
  const row = Math.round(middleOf(eye).cy);
  let [sum, total] = [0, 0];
  for (let column = Math.ceil(x(eye.left)); column < x(eye.right); column++) {
    const dark = Math.max(0, WHITE - (pixels[row * SIZE + column]! & 255));
    sum += dark * (column + 0.5);
    total += dark;
  }
  return sum / total;
}

test('both irises move by the turn of an eyeball, to the side that is asked for', () => {
  const source = face();
  const gaze = new EyeGaze(source, points);
  assert.ok(gaze.sees);
  for (const yaw of [-8, -3, 5, 9]) {
    const pixels = packed(source);
    gaze.look(changing(pixels), [yaw, 0]);
    for (const eye of EYES) {
      const { cx, width } = middleOf(eye);
      // 12 mm of radius in an opening of 26 mm.
      const expected = (12 / 26) * Math.sin((yaw * Math.PI) / 180) * width;
      const found = irisCentre(pixels, eye) - cx;
      assert.ok(Math.abs(found - expected) < 0.35 + 0.1 * Math.abs(expected), `${found} for ${expected} px`);
    }
  }
});

test('skin and lids stay to the byte, and looking back restores everything', () => {
  const source = face();
  const gaze = new EyeGaze(source, points);
  const [before, pixels] = [packed(source), packed(source)];
  gaze.look(changing(pixels), [9, 5]);
  assert.notDeepEqual(pixels, before);
  const near = (column: number, row: number): boolean =>
    EYES.some((eye) => {
      const { cx, cy, width } = middleOf(eye);
      return (
        Math.abs(column - cx) < width / 2 &&
        row > y(eye.upper) &&
        row < y(eye.lower) &&
        Math.abs(row - cy) < width
      );
    });
  pixels.forEach((pixel, i) => {
    if (!near(i % SIZE, Math.floor(i / SIZE))) assert.equal(pixel, before[i]);
  });
  gaze.look(changing(pixels), [0, 0]);
  assert.deepEqual(pixels, before);
});

test('where no iris is seen nothing moves', () => {
  const source = face(false);
  const gaze = new EyeGaze(source, points);
  assert.equal(gaze.sees, false);
  const pixels = packed(source);
  gaze.look(changing(pixels), [9, 0]);
  assert.deepEqual(pixels, packed(source));
});
