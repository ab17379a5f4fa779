import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExpressionBasis, lipGap } from '../../src/motion/expression-basis.ts';
import { MESH_VALUES, MESH_VERTICES } from '../../src/motion/motion.ts';
import { closureAt, shutLips, steadyClosures } from '../../src/motion/shut-lips.ts';

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

/** Openings in cm of a mouth that was open all along, in frames `spacing` vectors apart from `first` on. */
function openings(closures: Float32Array, spacing = 1, first = 0): number[] {
  const basis = makeBasis();
  const gaps = [0, 1].map((k) => lipGap(basis.basis.subarray(k * MESH_VALUES, (k + 1) * MESH_VALUES)));
  return Array.from({ length: Math.floor((COUNT - 1 - first) / spacing) + 1 }, (_, frame) => {
    const coefficients = Float32Array.of(OPEN, 0);
    shutLips(basis, coefficients, closureAt(closures, first + frame * spacing, spacing));
    return coefficients[0]! * gaps[0]! + coefficients[1]! * gaps[1]!;
  });
}

for (const peak of [0.3, 0.5, 1]) {
  test(`a closure that is likely by ${peak} shuts the lips, and they part within 0.2 s`, () => {
    const curve = openings(bump(peak));
    assert.ok(curve[MIDDLE]! <= 0, `${curve[MIDDLE]} cm`);
    for (const i of [MIDDLE - 1, MIDDLE + 1]) assert.ok(curve[i]! < 0.7 * OPEN, `${curve[i]} cm`);
    for (const i of [MIDDLE - 10, MIDDLE + 10])
      assert.ok(Math.abs(curve[i]! - OPEN) < 1e-5, `${curve[i]} cm`);
  });
}

test('at any frame rate and phase a closure is whole in one frame, and no frame shuts twice', () => {
  for (const spacing of [50 / 12, 2, 50 / 30, 50 / 60]) {
    for (let phase = 0; phase < 1; phase += 0.1) {
      const shut = openings(bump(0.8, 2), spacing, phase * spacing).filter((opening) => opening <= 0);
      assert.ok(shut.length >= 1 && shut.length <= 2, `${shut.length} frames at ${spacing}, ${phase}`);
    }
  }
});

test('what is hardly likely leaves the mouth as it is, and what is half likely goes half of the way', () => {
  assert.ok(openings(bump(0.19)).every((opening) => Math.abs(opening - OPEN) < 1e-6));
  const half = openings(bump(0.25))[MIDDLE]!;
  assert.ok(half > 0.3 * OPEN && half < 0.7 * OPEN, `${half}`);
});

test('lips come together and part in order', () => {
  const curve = openings(bump(0.9));
  for (let i = 1; i <= MIDDLE; i++) assert.ok(curve[i]! <= curve[i - 1]! + 1e-6);
  for (let i = MIDDLE + 1; i < COUNT; i++) assert.ok(curve[i]! >= curve[i - 1]! - 1e-6);
});

test('lips that are shut already are only pressed, and silence has no closures', () => {
  const coefficients = Float32Array.of(-0.1, 0);
  shutLips(makeBasis(), coefficients, 1);
  assert.ok(coefficients[0]! < -0.1 && coefficients[0]! > -0.15, `${coefficients[0]}`);
  assert.equal(closureAt(new Float32Array(9), 4.5, 2), 0);
  // The ends of a stretch are no reason to see more or less.
  assert.equal(closureAt(Float32Array.of(0, 1), 1, 2), 1);
});

const VOICE = 0.01;

/** The voice is heard but for these places, in which it is 30 dB weaker. */
function powers(count: number, silent: readonly number[] = []): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (silent.includes(i) ? VOICE / 1000 : VOICE));
}

test('lips that have met stay together while nothing is heard, for 60 ms at most, and no others do', () => {
  const closures = Float32Array.of(0, 0, 1, 1, 0.9, 0, 0, 0, 0, 0, 0, 0);
  // A sound follows at once, after two silent vectors, after many.
  const after = (silent: readonly number[]): number[] =>
    [...steadyClosures(closures, powers(12, silent), VOICE)].map((value) => Math.round(100 * value) / 100);
  assert.deepEqual(after([]), [0, 0.17, 0.83, 0.98, 0.77, 0.15, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(after([4, 5]), [0, 0.17, 0.83, 0.98, 0.98, 0.98, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(after([4, 5, 6, 7, 8, 9, 10]), [0, 0.17, 0.83, 0.98, 0.98, 0.98, 0.98, 0, 0, 0, 0, 0]);
  // Before, and where the lips are hardly shut, silence holds nothing.
  assert.deepEqual(after([0, 1]), after([]));
  const weak = steadyClosures(
    closures.map((value) => value / 2),
    powers(12, [4, 5, 6, 7]),
    VOICE,
  );
  assert.equal(weak[6], 0);
});

test('likelihoods lose their jitter', () => {
  const jitter = Float32Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0.3 : 0.1));
  const steady = steadyClosures(jitter, powers(20), VOICE);
  for (let i = 1; i < 19; i++) assert.ok(Math.abs(steady[i]! - 0.2) < 0.04, `${steady[i]}`);
});
