import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decimals, figures, gigaFlops, spreadText } from '../../src/compare/number-format.ts';

test('numbers are short, and none is a dash', () => {
  assert.equal(figures(1234.5), '1235');
  assert.equal(figures(12.345), '12.3');
  assert.equal(figures(0.012345), '0.0123');
  assert.equal(figures(Number.NaN), '–');
  assert.equal(decimals(-0.5, 1), '−0.5');
  assert.equal(decimals(Infinity, 1), '∞');
  assert.equal(gigaFlops(1.5e12, '/s'), '1.50 TFLOP/s');
  assert.equal(spreadText({ median: 2, min: 1.5, max: 3, count: 2 }), '2.00 (1.50–3.00)');
});
