import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparisonGates } from '../../scripts/lib/comparison-gates.ts';
import { EXAMPLE_REPORT } from '../compare/example-report.ts';

test('gates are met or missed by what was found', () => {
  const found = comparisonGates(EXAMPLE_REPORT).map(({ name, met }) => [name, met]);
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
  const missed = comparisonGates({ ...EXAMPLE_REPORT, comparisons: slower }).filter(({ met }) => !met);
  assert.deepEqual(
    missed.map(({ name }) => name),
    ['Denoising time', 'Exact savings, largest difference of latents'],
  );
});
