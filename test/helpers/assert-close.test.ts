import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAllClose } from './assert-close.ts';

const LIMIT = { timeout: 120_000 };
const EXACT = { rtol: 0, atol: 0 };

test('NaN is close to nothing, itself included', LIMIT, () => {
  for (const [actual, expected] of [
    [NaN, 1],
    [1, NaN],
    [NaN, NaN],
  ] as const) {
    assert.throws(() => assertAllClose([0, actual], [0, expected], { rtol: 1, atol: 1 }), /element 1 of 2/);
  }
});

test('infinities are close to their own sign alone, and lengths must agree', LIMIT, () => {
  assertAllClose([Infinity, -Infinity], [Infinity, -Infinity], EXACT);
  assert.throws(() => assertAllClose([Infinity], [-Infinity], { rtol: 0, atol: 1 }), /element 0/);
  assert.throws(() => assertAllClose([1], [1, 2], EXACT), /number of elements/);
});

test('the worst element is named, by its own tolerance', LIMIT, () => {
  assertAllClose([1.01, 101], [1, 100], { rtol: 0.01, atol: 1e-9 });
  assert.throws(
    () => assertAllClose([1.02, 103, 5], [1, 100, 5], { rtol: 0.01, atol: 0 }),
    /element 1 of 3 is 103/,
  );
});
