import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExpressionBasis, lipGap } from '../../src/motion/expression-basis.ts';
import { MESH_VALUES, MESH_VERTICES } from '../../src/motion/motion.ts';
import { closureShare, shutLips } from '../../src/motion/shut-lips.ts';

const COUNT = 41;
const MIDDLE = 20;
/** Of a mouth that stays open by this much, in cm. */
const OPEN = 1.2;

/** Two directions: the first opens the lips by 1 cm a unit, half of it by the second, which also moves a corner. */
function makeBasis(): ExpressionBasis {
  const basis = new Float32Array(2 * MESH_VALUES);
  basis[3 * 13 + 1] = 0.4;
  basis[3 * 14 + 1] = -0.6;
  basis[MESH_VALUES + 3 * 14 + 1] = -0.5;
  basis[MESH_VALUES + 3 * 61] = 1;
  return {
    components: 2,
    basis,
    std: new Float32Array(2),
    blink: new Float32Array(MESH_VALUES),
    mouth: new Float32Array(MESH_VERTICES).fill(1),
    opening: Float32Array.of(0.8, 0.4), // 0.8 · 1 + 0.4 · 0.5 = 1
  };
}

/** A closure around the middle whose curve has this peak. */
function bump(peak: number, width = 3): Float32Array {
  return Float32Array.from({ length: COUNT }, (_, i) => peak * Math.exp(-0.5 * ((i - MIDDLE) / width) ** 2));
}

/** Openings in cm of a mouth that was open all along. */
function openings(closures: Float32Array): number[] {
  const basis = makeBasis();
  const coefficients = new Float32Array(2 * COUNT);
  for (let i = 0; i < COUNT; i++) coefficients[2 * i] = OPEN;
  shutLips(basis, coefficients, closures);
  const gaps = [0, 1].map((k) => lipGap(basis.basis.subarray(k * MESH_VALUES, (k + 1) * MESH_VALUES)));
  return Array.from(
    { length: COUNT },
    (_, i) => coefficients[2 * i]! * gaps[0]! + coefficients[2 * i + 1]! * gaps[1]!,
  );
}

for (const peak of [0.35, 0.5, 1]) {
  test(`a closure that is likely by ${peak} shuts the lips for three vectors, and they part within 0.2 s`, () => {
    const curve = openings(bump(peak));
    for (let i = MIDDLE - 1; i <= MIDDLE + 1; i++) assert.ok(curve[i]! <= 0, `${curve[i]} cm`);
    for (const i of [MIDDLE - 10, MIDDLE + 10])
      assert.ok(Math.abs(curve[i]! - OPEN) < 1e-5, `${curve[i]} cm`);
  });
}

test('what is hardly likely leaves the mouth as it is, and what is half likely goes half of the way', () => {
  assert.ok(openings(bump(0.19)).every((opening) => Math.abs(opening - OPEN) < 1e-6));
  const half = openings(bump(0.275))[MIDDLE]!;
  assert.ok(half > 0.3 * OPEN && half < 0.7 * OPEN, `${half}`);
});

test('lips come together and part without a jump', () => {
  const curve = openings(bump(0.9));
  for (let i = 1; i < COUNT; i++) assert.ok(Math.abs(curve[i]! - curve[i - 1]!) < 0.5 * OPEN);
  for (let i = 1; i <= MIDDLE; i++) assert.ok(curve[i]! <= curve[i - 1]! + 1e-6);
});

test('lips that are shut already are only pressed, and the ends of a stretch are no peaks', () => {
  const basis = makeBasis();
  const coefficients = new Float32Array(2 * COUNT).fill(-0.1);
  shutLips(basis, coefficients, bump(1));
  assert.ok(coefficients[2 * MIDDLE]! > -0.15);
  assert.equal(closureShare(new Float32Array(3), 0), 0);
  assert.equal(closureShare(Float32Array.of(1), 0), 1);
});
