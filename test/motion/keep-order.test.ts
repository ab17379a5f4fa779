import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepOrder } from '../../src/motion/keep-order.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import { CANONICAL } from './face-fixture.ts';

/** From the middle of the lower lip to the chin. */
const MIDDLE = [17, 18, 200, 199, 175, 152];

const heights = (offsets: Float32Array): number[] =>
  MIDDLE.slice(1).map((vertex, i) => {
    const y = (v: number): number => CANONICAL[3 * v + 1]! + offsets[3 * v + 1]!;
    return y(MIDDLE[i]!) - y(vertex);
  });

test('a lip that comes down by more than the skin below it is high pushes that down, and nothing folds', () => {
  const rest = heights(new Float32Array(MESH_VALUES));
  const offsets = new Float32Array(MESH_VALUES);
  offsets[3 * 17 + 1] = -1.5 * rest[0]!;
  assert.ok(heights(offsets)[0]! < 0);
  keepOrder(CANONICAL, offsets);
  heights(offsets).forEach((height, i) => {
    assert.ok(height >= 0.249 * rest[i]!, `${i}: ${height} of ${rest[i]}`);
  });
  // The lip stays where it is, and the push grows less on the way down.
  assert.ok(Math.abs(offsets[3 * 17 + 1]! + 1.5 * rest[0]!) < 1e-6);
  const moved = MIDDLE.map((vertex) => -offsets[3 * vertex + 1]!);
  for (let i = 1; i < moved.length; i++) assert.ok(moved[i]! <= moved[i - 1]! + 1e-6);
});

test('a mouth that opens as mouths do is left as it is', () => {
  const offsets = new Float32Array(MESH_VALUES);
  for (const [i, vertex] of MIDDLE.entries()) offsets[3 * vertex + 1] = -1 + 0.05 * i;
  const before = offsets.slice();
  keepOrder(CANONICAL, offsets);
  assert.deepEqual(offsets, before);
});

test('nothing but heights of the chin is changed', () => {
  const offsets = new Float32Array(MESH_VALUES);
  offsets[3 * 17 + 1] = -2;
  keepOrder(CANONICAL, offsets);
  offsets.forEach((value, i) => {
    if (value !== 0) assert.ok(i % 3 === 1 && MIDDLE.includes((i - 1) / 3));
  });
});
