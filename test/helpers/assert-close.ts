import assert from 'node:assert/strict';

/** Accepted deviation: |actual − expected| ≤ atol + rtol · |expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Compares every element, fails on NaN and on different lengths, and prints the worst element. */
export function assertAllClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol, atol }: Tolerance,
  label = 'values',
): void {
  assert.equal(actual.length, expected.length, `${label}: number of elements`);
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!;
    const e = expected[i]!;
    const excess = Math.abs(a - e) - (atol + rtol * Math.abs(e));
    // NaN, too, of equal infinities; NaN is equal to nothing.
    if (Number.isNaN(excess) ? a !== e : excess > worstExcess) {
      worst = i;
      worstExcess = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
      if (worstExcess === Number.POSITIVE_INFINITY) break;
    }
  }
  if (worst >= 0) {
    assert.fail(
      `${label}: element ${worst} of ${expected.length} is ${actual[worst]}, expected ${expected[worst]}`,
    );
  }
}
