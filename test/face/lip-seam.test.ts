import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { LipSeam } from '../../src/face/lip-seam.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const SIZE = 512;
const LIMIT = { timeout: 120_000 };
const points = projectMesh(loadFaceMesh().vertices, poseToMatrix([0, 0, 0, 0, 0, -16]), SIZE, SIZE);
const y = (landmark: number, of: ArrayLike<number> = points): number => of[2 * landmark + 1]!;
const [UPPER, LOWER, CORNERS] = [13, 14, [78, 308]] as const;
const CLOSED = 0.03;

/** Height of a chain of landmarks at a column; that of its ends beyond them. */
function heightAt(chain: readonly number[], column: number): number {
  const after = chain.findIndex((landmark) => points[2 * landmark]! >= column);
  if (after <= 0) return y(after === 0 ? chain[0]! : chain.at(-1)!);
  const [x0, x1] = [points[2 * chain[after - 1]!]!, points[2 * chain[after]!]!];
  const [y0, y1] = [y(chain[after - 1]!), y(chain[after]!)];
  return y0 + ((y1 - y0) * (column - x0)) / (x1 - x0);
}

const UPPER_EDGE = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308];
const LOWER_EDGE = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308];

/** Light lips with a dark line between them that reaches `reach` pixels onto both. */
function lips(reach: number): RgbImage {
  const data = new Uint8Array(3 * SIZE * SIZE).fill(170);
  for (let column = 0; column < SIZE; column++) {
    const first = Math.round(heightAt(UPPER_EDGE, column + 0.5) - reach);
    const end = Math.round(heightAt(LOWER_EDGE, column + 0.5) + reach);
    for (let row = first; row < end; row++) {
      data.fill(50, 3 * (SIZE * row + column), 3 * (SIZE * row + column + 1));
    }
  }
  return { data, width: SIZE, height: SIZE };
}

function parted(image: RgbImage, opening: number, own = CLOSED): Float64Array {
  const moved = points.slice();
  new LipSeam(image, points, own).part(moved, opening);
  return moved;
}

test('lips that part begin where the line between them ended', LIMIT, () => {
  // A lip is some 20 pixels high here.
  for (const reach of [1, 2]) {
    const moved = parted(lips(reach), 1);
    for (const [landmark, away] of [
      [UPPER, -1],
      [LOWER, 1],
    ] as const) {
      const shift = away * (y(landmark, moved) - y(landmark));
      assert.ok(Math.abs(shift - reach) <= 1, `landmark ${landmark} by ${shift}, line ${reach}`);
    }
    for (const corner of CORNERS) assert.equal(y(corner, moved), y(corner));
  }
});

test('the line gives way as the lips part, and is whole while they are closed', LIMIT, () => {
  const shifts = [CLOSED, 0.1, 0.2, 0.4].map((opening) => y(LOWER, parted(lips(2), opening)) - y(LOWER));
  assert.equal(shifts[0], 0);
  assert.ok(shifts[1]! < shifts[2]! && shifts[2]! < shifts[3]!, shifts.join(' '));
});

test('lips without a line between them, and lips that are open in the portrait, stay', LIMIT, () => {
  assert.deepEqual(parted(lips(-20), 1), points);
  assert.deepEqual(parted(lips(2), 1, 0.4), points);
});

test('a line that covers the lips is no more than a part of them', LIMIT, () => {
  const moved = parted(lips(8), 1);
  const height = y(17) - y(LOWER);
  assert.ok(y(LOWER, moved) - y(LOWER) <= 0.13 * height, `${y(LOWER, moved) - y(LOWER)} of ${height}`);
});
