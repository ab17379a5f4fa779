import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { keepTeeth } from '../../src/face/keep-teeth.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';

const SIZE = 256;
const UPPER_LIP = 13;
const LOWER_JAW = [14, 87, 178, 88, 95, 317, 402, 318, 324, 17, 152];

/** The canonical face, its jaw lowered by `down` cm, turned by `roll` degrees. */
function face(down: number, roll = 0): Float64Array {
  const mesh = Float64Array.from(loadFaceMesh().vertices);
  const gap = mesh[3 * 13 + 1]! - mesh[3 * 14 + 1]!;
  for (const vertex of LOWER_JAW) mesh[3 * vertex + 1]! += gap - down;
  return projectMesh(mesh, poseToMatrix([0, 0, roll, 0, 0, -24]), SIZE, SIZE);
}

/** A difference of 1 everywhere, and what is left of it. */
function left(points: Float64Array): Float32Array {
  const difference = new Float32Array(3 * SIZE * SIZE).fill(1);
  keepTeeth(difference, points, SIZE);
  return difference;
}

/** Centimetre in pixels, between the eyes. */
const unitOf = (points: Float64Array): number =>
  Math.hypot(points[2 * 263]! - points[2 * 33]!, points[2 * 263 + 1]! - points[2 * 33 + 1]!) / 8.9;

/** What is left so many cm below the upper lip, down the face. */
function below(points: Float64Array, difference: Float32Array, centimetres: number): number[] {
  const unit = unitOf(points);
  const down = [points[2 * 14]! - points[2 * 13]!, points[2 * 14 + 1]! - points[2 * 13 + 1]!];
  const length = Math.hypot(down[0]!, down[1]!);
  const x = Math.floor(points[2 * UPPER_LIP]! + (down[0]! / length) * centimetres * unit);
  const y = Math.floor(points[2 * UPPER_LIP + 1]! + (down[1]! / length) * centimetres * unit);
  return [0, 1, 2].map((c) => difference[c * SIZE * SIZE + y * SIZE + x]!);
}

for (const roll of [0, 25]) {
  test(`of the difference on upper teeth a third is left, below them and on the lip all (${roll}°)`, () => {
    const points = face(1.4, roll);
    const difference = left(points);
    for (const value of below(points, difference, 0.2)) assert.ok(value < 0.45, `teeth: ${value}`);
    for (const value of below(points, difference, 0.8)) assert.equal(value, 1);
    for (const value of below(points, difference, -0.2)) assert.equal(value, 1);
    assert.ok(difference.every((value) => value <= 1 && value >= 0.29));
  });
}

test('a mouth that is nearly closed is left to the networks', () => {
  assert.ok(left(face(0.1)).every((value) => value === 1));
});

test('a face of no size changes nothing', () => {
  assert.ok(left(new Float64Array(936)).every((value) => value === 1));
});
