import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShapeError } from '../../src/errors.ts';
import {
  applyGuidance,
  guidanceEmbedding,
  rescaleGuidance,
  usesGuidance,
} from '../../src/schedulers/guidance.ts';
import { zeros } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { readGolden } from './replay.ts';

const FLOAT64 = { rtol: 1e-12, atol: 1e-12 };
/** Sines of arguments up to 14,000, which float32 knows to three digits. */
const FLOAT32_SINES = { rtol: 0, atol: 2e-3 };
const golden = readGolden('guidance.json');

const row = (...values: number[]) => ({ data: Float32Array.from(values), dims: [1, values.length] });

for (const { guidance_scale, dim, idx, f32, f64, sum_f64 } of golden.cases) {
  test(`the embedding of guidance scale ${guidance_scale} matches the reference`, () => {
    const embedding = guidanceEmbedding(guidance_scale, dim);
    const selected = idx.map((i: number) => embedding[i]!);
    assertAllClose(selected, f64, FLOAT64);
    assertAllClose(selected, f32, FLOAT32_SINES);
    assertAllClose([embedding.reduce((sum, value) => sum + value, 0)], [sum_f64], { rtol: 0, atol: 1e-10 });
  });
}

test('an odd embedding ends with 0', () => {
  assertAllClose(guidanceEmbedding(golden.odd_dim.w + 1, golden.odd_dim.dim), golden.odd_dim.f64, FLOAT64);
});

test('guidance extrapolates from the unconditional to the conditional prediction', () => {
  assertAllClose(applyGuidance(row(1, 2), row(0, 4), 3.5).data, [3.5, -3], { rtol: 1e-6, atol: 0 });
  assert.throws(() => applyGuidance(row(1, 2), zeros([2]), 3.5), ShapeError);
});

test('guidance of 1 and less means the conditional prediction alone', () => {
  const cond = row(1, 2);
  assert.equal(usesGuidance(1), false);
  for (const scale of [0, 1]) assert.equal(applyGuidance(cond, row(5, 6), scale), cond);
});

test('rescaled guidance has the deviation of the conditional prediction, sample by sample', () => {
  const guided = { data: Float32Array.of(-4, 4, -10, 10), dims: [2, 2] };
  const cond = { data: Float32Array.of(-1, 1, 4, 6), dims: [2, 2] };
  assertAllClose(rescaleGuidance(guided, cond, 1).data, [-1, 1, -1, 1], { rtol: 1e-6, atol: 0 });
  assertAllClose(rescaleGuidance(guided, cond, 0.5).data, [-2.5, 2.5, -5.5, 5.5], { rtol: 1e-6, atol: 0 });
  assertAllClose(rescaleGuidance(guided, cond, 0).data, guided.data, { rtol: 0, atol: 0 });
});
