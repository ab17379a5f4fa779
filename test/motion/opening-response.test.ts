import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coefficientGap, type ExpressionBasis } from '../../src/motion/expression-basis.ts';
import { MESH_VALUES, MESH_VERTICES } from '../../src/motion/motion.ts';
import { respondToOpening, shownOpening } from '../../src/motion/opening-response.ts';

test('lips open more where they part, less where they are far apart, and in the same order', () => {
  const shown = Array.from({ length: 251 }, (_, i) => shownOpening(i / 100));
  for (let i = 1; i < shown.length; i++) assert.ok(shown[i]! > shown[i - 1]!, `at ${i / 100} cm`);
  assert.equal(shown[0], 0);
  assert.ok(shown[50]! > 0.5 && shown[200]! < 2, `${shown[50]}, ${shown[200]}`);
  // By integration of the slope, 1.25 / (1 + gap / 1.5).
  let expected = 0;
  for (let i = 0; i < 2000; i++) expected += (0.001 * 1.25) / (1 + (i + 0.5) / 1000 / 1.5);
  assert.ok(Math.abs(shown[200]! - expected) < 1e-5, `${shown[200]} instead of ${expected}`);
});

test('a vector comes to the opening that is shown, and one with crossed lips stays as it is', () => {
  const basis: ExpressionBasis = {
    components: 2,
    basis: new Float32Array(2 * MESH_VALUES),
    std: new Float32Array(2),
    blink: new Float32Array(MESH_VALUES),
    mouth: new Float32Array(MESH_VERTICES).fill(1),
    opening: Float32Array.of(0.8, 0.4), // 0.8 · 1 + 0.4 · 0.5 = 1
  };
  basis.basis[3 * 13 + 1] = 0.4;
  basis.basis[3 * 14 + 1] = -0.6;
  basis.basis[MESH_VALUES + 3 * 14 + 1] = -0.5;
  const coefficients = Float32Array.of(1, 0.6);
  respondToOpening(basis, coefficients);
  assert.ok(Math.abs(coefficientGap(basis, coefficients) - shownOpening(1.3)) < 1e-6);
  const crossed = Float32Array.of(-0.2, 0.1);
  respondToOpening(basis, crossed);
  assert.deepEqual(crossed, Float32Array.of(-0.2, 0.1));
});
