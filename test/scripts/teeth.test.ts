import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countTeeth, lightOfTeeth, type Teeth, teethOf, teethShift } from '../../scripts/lib/teeth.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const SIZE = 512;
const rest = projectMesh(loadFaceMesh().vertices, poseToMatrix([0, 0, 0, 0, 0, -22]), SIZE, SIZE);
/** Pixels to a centimetre between the eyes. */
const UNIT = (rest[2 * 263]! - rest[2 * 33]!) / 8.9;

/** A picture of teeth `width` cm wide with dark gaps, moved to the side by `shift` cm. */
function teeth({ width = 0.8, shift = 0, light = 200 }): RgbImage {
  const data = new Uint8Array(SIZE * SIZE * 3);
  const middle = rest[2 * 13]!;
  for (let x = 0; x < SIZE; x++) {
    const u = (x + 0.5 - middle) / UNIT - shift;
    const gap = Math.abs(u / width - Math.round(u / width)) < 0.09;
    for (let y = 0; y < SIZE; y++)
      data.fill(gap ? 0.6 * light : light, 3 * (y * SIZE + x), 3 * (y * SIZE + x) + 3);
  }
  return { data, width: SIZE, height: SIZE };
}

const seen = (options: Parameters<typeof teeth>[0], landmarks: ArrayLike<number> = rest): Teeth =>
  teethOf(teeth(options), landmarks, rest);

test('teeth between the canines are counted', () => {
  assert.equal(countTeeth(seen({ width: 0.8, shift: 0.4 })), 5);
  assert.equal(countTeeth(seen({ width: 0.8 })), 4);
});

test('teeth that move to the side are found where they are', () => {
  for (const shift of [-0.12, 0, 0.08]) {
    assert.ok(Math.abs(teethShift(seen({}), seen({ shift })) - 10 * shift) < 0.25, `${shift} cm`);
  }
});

test('the light of teeth is that of the picture', () => {
  const [bright, dark] = [200, 160].map((light) => lightOfTeeth(seen({ light })));
  assert.ok(Math.abs(dark! / bright! - 0.8) < 0.01);
});

test('teeth that move with the skull stand still', () => {
  const moved = Float64Array.from(rest, (value, i) => value + (i % 2 === 0 ? 9 : 4));
  const shifted = teeth({ shift: 9 / UNIT });
  assert.ok(Math.abs(teethShift(seen({}), teethOf(shifted, moved, rest))) < 0.15);
});

test('the opening is that of the inner lips in centimetres', () => {
  const open = Float64Array.from(rest);
  open[2 * 14 + 1]! += UNIT;
  assert.ok(Math.abs(seen({}, open).opening - seen({}).opening - 1) < 0.01);
});

test('teeth are shown where the lip leaves them uncovered over the strip', () => {
  const bright = teeth({});
  const below = { ...bright, data: bright.data.slice() };
  // From 0.2 cm beneath the lip on, the dark of the mouth.
  const edge = Math.round(rest[2 * 13 + 1]! + 0.2 * UNIT);
  below.data.fill(40, 3 * SIZE * edge);
  assert.equal(teethOf(bright, rest, rest).shown, true);
  assert.equal(teethOf(below, rest, rest).shown, false);
});
