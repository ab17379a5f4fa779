import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { lowerFaceMask } from '../../src/face/lower-face-mask.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';

const SIZE = { width: 400, height: 300 };
const mesh = Float64Array.from(loadFaceMesh().vertices);

function landmarksOf(pose: readonly number[]): Float64Array {
  return projectMesh(mesh, poseToMatrix(pose), SIZE.width, SIZE.height);
}

/** The mask's value at a landmark. */
function valueAt(points: Float64Array, landmark: number, mask: ReturnType<typeof lowerFaceMask>): number {
  const column = Math.floor(points[2 * landmark]!) - mask.left;
  const row = Math.floor(points[2 * landmark + 1]!) - mask.top;
  if (column < 0 || row < 0 || column >= mask.width || row >= mask.height) return 0;
  return mask.data[row * mask.width + column]!;
}

const LIPS = [0, 13, 14, 17, 61, 291];
const UPPER_FACE = [10, 159, 386, 70, 300, 6];

for (const [name, pose] of [
  ['upright', [0, 0, 0, 0, 0, -50]],
  ['tilted by 30°', [0, 0, 30, 0, 0, -50]],
  ['tilted the other way and turned', [5, -20, -25, 3, -2, -60]],
] as const) {
  test(`it covers the lips wholly and no part of eyes and brows, ${name}`, () => {
    const points = landmarksOf(pose);
    const mask = lowerFaceMask([points, points], SIZE);
    for (const landmark of LIPS) assert(valueAt(points, landmark, mask) > 0.9, `landmark ${landmark}`);
    for (const landmark of UPPER_FACE)
      assert.equal(valueAt(points, landmark, mask), 0, `landmark ${landmark}`);
  });
}

test('the chin is covered where it was and where it goes', () => {
  const filmed = landmarksOf([0, 0, 0, 0, 0, -50]);
  const opened = filmed.slice();
  opened[2 * 152 + 1]! += 12;
  const mask = lowerFaceMask([filmed, opened], SIZE);
  assert(valueAt(filmed, 152, mask) > 0.5);
  assert(valueAt(opened, 152, mask) > 0.3);
});

test('its edge is soft, and beyond the picture there is nothing', () => {
  const points = landmarksOf([0, 0, 0, 0, -11, -50]);
  const mask = lowerFaceMask([points, points], SIZE);
  assert(mask.top + mask.height <= SIZE.height);
  const row = mask.data.subarray(0, mask.width);
  for (let i = 1; i < row.length; i++) assert(Math.abs(row[i]! - row[i - 1]!) < 0.2);
});

test('strength is the largest value', () => {
  const points = landmarksOf([0, 0, 0, 0, 0, -50]);
  const { data } = lowerFaceMask([points, points], { ...SIZE, strength: 0.25 });
  assert.equal(Math.max(...data), 0.25);
});
