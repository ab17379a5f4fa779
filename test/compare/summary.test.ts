import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decimals, figures, gigaFlops, spreadText } from '../../src/compare/number-format.ts';
import { wantedFigures } from '../../src/compare/summary.ts';
import { EXAMPLE_REPORT } from './example-report.ts';

test('aims are met or missed by what was found', () => {
  const found = wantedFigures(EXAMPLE_REPORT).map(({ name, met }) => [name, met]);
  assert.deepEqual(found, [
    ['Denoiser evaluations', true],
    ['Denoising time', true],
    ['Sum of all stages', true],
    ['Exact savings, original preset', true],
    ['Exact savings, largest difference of latents', true],
  ]);
  const slower = EXAMPLE_REPORT.comparisons.map((comparison) => ({
    ...comparison,
    largestLatentDifference: 0.002,
    speedUp: { ...comparison.speedUp, denoise: { median: 10.9, min: 1, max: 20, count: 3 } },
  }));
  const missed = wantedFigures({ ...EXAMPLE_REPORT, comparisons: slower }).filter(({ met }) => !met);
  assert.deepEqual(
    missed.map(({ name }) => name),
    ['Denoising time', 'Exact savings, largest difference of latents'],
  );
});

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
