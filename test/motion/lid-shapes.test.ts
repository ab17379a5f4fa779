import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eyeAperture, halfClosedFactors, LidShapes, OPEN_EYE } from '../../src/motion/lid-shapes.ts';
import { CANONICAL, distance, LIDS, moved, withEyes } from './face-fixture.ts';

for (const [name, share] of [
  ['open', 1],
  ['wide open', 1.6],
  ['half-closed', 0.4],
] as const) {
  const mesh = withEyes(CANONICAL, share);
  test(`${name} eyes close until the lids meet all along`, () => {
    const offsets = new Float32Array(mesh.length);
    new LidShapes(mesh).add([1, 1], offsets);
    const closed = moved(mesh, offsets);
    for (const { upper, lower } of LIDS) {
      upper.forEach((vertex, i) => {
        assert.ok(distance(closed, vertex, lower[i]!) < 1e-5);
        // The lower lid hardly moves.
        assert.ok(distance(closed, lower[i]!, lower[i]!) === 0);
        assert.ok(
          closed[3 * lower[i]! + 1]! - mesh[3 * lower[i]! + 1]! < 0.2 * distance(mesh, vertex, lower[i]!),
        );
      });
    }
  });
}

test('one eye closes without the other; what is away from the eyes stays', () => {
  const offsets = new Float32Array(CANONICAL.length);
  new LidShapes(CANONICAL).add([1, 0], offsets);
  offsets.forEach((value, i) => {
    const x = CANONICAL[i - (i % 3)]!;
    if (x > 0) assert.equal(value, 0);
  });
  for (const vertex of [33, 133, 13, 14, 4, 105, 10, 152]) {
    for (let axis = 0; axis < 3; axis++) assert.equal(offsets[3 * vertex + axis], 0);
  }
});

test('skin next to the lids follows them less, and keeps its order', () => {
  const offsets = new Float32Array(CANONICAL.length);
  new LidShapes(CANONICAL).add([1, 1], offsets);
  const closed = moved(CANONICAL, offsets);
  for (const column of [
    [223, 27, 159, 145, 23],
    [443, 257, 386, 374, 253],
  ]) {
    const heights = column.map((vertex) => closed[3 * vertex + 1]!);
    for (let i = 1; i < heights.length; i++) assert.ok(heights[i]! <= heights[i - 1]! + 1e-6, `${heights}`);
  }
});

test('eyes that the portrait has half closed open nearly as far as most, others stay', () => {
  assert.deepEqual(new LidShapes(withEyes(CANONICAL, 1.3)).opening, [0, 0]);
  const narrow = withEyes(CANONICAL, 0.7);
  const shapes = new LidShapes(narrow);
  const offsets = new Float32Array(narrow.length);
  shapes.add(shapes.opening, offsets);
  for (const eye of [0, 1] as const) {
    const [before, after] = [eyeAperture(narrow, eye), eyeAperture(moved(narrow, offsets), eye)];
    assert.ok(before < 0.19 && after > 0.24 && after < OPEN_EYE, `${before} to ${after}`);
  }
  // Somebody who was photographed with closed eyes.
  assert.deepEqual(new LidShapes(withEyes(CANONICAL, 0.1)).opening, [0, 0]);
});

test('both sides’ landmarks are mirror images', () => {
  const offsets = new Float32Array(CANONICAL.length);
  new LidShapes(CANONICAL).add([1, 1], offsets);
  for (let vertex = 0; vertex < CANONICAL.length / 3; vertex++) {
    const [x, y, z] = [0, 1, 2].map((axis) => CANONICAL[3 * vertex + axis]!);
    let mirror = -1;
    for (let other = 0; other < CANONICAL.length / 3; other++) {
      const at = (axis: number): number => CANONICAL[3 * other + axis]!;
      if (Math.hypot(at(0) + x!, at(1) - y!, at(2) - z!) < 1e-3) mirror = other;
    }
    if (mirror < 0) continue;
    assert.ok(Math.abs(offsets[3 * vertex + 1]! - offsets[3 * mirror + 1]!) < 1e-3, `${vertex}, ${mirror}`);
  }
});

/** The canonical face with each eye open by an aperture of its own. */
function withApertures(right: number, left: number): ArrayLike<number> {
  const [own, other] = [eyeAperture(CANONICAL, 0), eyeAperture(CANONICAL, 1)];
  const narrowed = withEyes(CANONICAL, right / own);
  const wide = withEyes(CANONICAL, left / other);
  // The person's right eye is at negative x.
  return CANONICAL.map((_, i) => (CANONICAL[i - (i % 3)]! < 0 ? narrowed[i]! : wide[i]!));
}

for (const [name, apertures, wanted] of [
  ['half-closed lids are opened as eyes mostly are', [0.18, 0.19], [OPEN_EYE / 0.18, OPEN_EYE / 0.19]],
  [
    'of one blink, the lid that is nearly shut opens with the other',
    [0.13, 0.19],
    [OPEN_EYE / 0.13, OPEN_EYE / 0.19],
  ],
  ['a blink of which one eye shows nothing stays one', [0.09, 0.19], [1, 1]],
  ['narrow eyes stay narrow', [0.23, 0.235], [1, 1]],
  ['open eyes stay as they are', [0.3, 0.31], [1, 1]],
  ['closed eyes stay closed', [0.13, 0.14], [1, 1]],
  ['an eye that winks stays shut', [0.12, 0.3], [1, 1]],
  ['a lid that hangs next to an open eye is opened alone', [0.18, 0.3], [OPEN_EYE / 0.18, 1]],
] as const) {
  test(name, () => {
    const mesh = withApertures(apertures[0], apertures[1]);
    const factors = halfClosedFactors(mesh);
    for (const eye of [0, 1] as const) {
      assert.ok(Math.abs(eyeAperture(mesh, eye) - apertures[eye]) < 0.002);
      assert.ok(Math.abs(factors[eye] - wanted[eye]) < 0.03, `eye ${eye}: ${factors[eye]}`);
    }
  });
}
