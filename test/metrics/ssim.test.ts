import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ShapeError } from '../../src/errors.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { MS_SSIM_MIN_SIDE, structuralSimilarity } from '../../src/metrics/ssim.ts';
import { GOLDEN, golden } from './golden.ts';
import { degrade, waves } from './pictures.ts';

/** Luma is kept in float32 here and in float64 there. */
const TOLERANCE = 1e-6;

function assertNear(actual: number | undefined, expected: number | null, label: string): void {
  if (expected === null) assert.equal(actual, undefined, label);
  else assert.ok(Math.abs(actual! - expected) < TOLERANCE, `${label}: ${actual}, expected ${expected}`);
}

for (const { kind, width, height, ssim, msSsim } of golden.pairs) {
  test(`${kind}, ${width}×${height}: SSIM and MS-SSIM match scikit-image and the authors' program`, () => {
    const found = structuralSimilarity(waves(width, height), degrade(kind, width, height));
    assertNear(found.ssim, ssim, 'SSIM');
    assertNear(found.msSsim, msSsim, 'MS-SSIM');
  });
}

test('a blurred photo: SSIM and MS-SSIM match', async () => {
  const load = (name: string) => loadImage(fileURLToPath(new URL(name, GOLDEN)));
  const found = structuralSimilarity(await load('portrait.png'), await load('portrait-blurred.png'));
  assertNear(found.ssim, golden.photo.ssim, 'SSIM');
  assertNear(found.msSsim, golden.photo.msSsim, 'MS-SSIM');
});

test('equal pictures have 1, whichever is first does not matter', () => {
  const [a, b] = [waves(180, 176), degrade('noise', 180, 176)];
  const same = structuralSimilarity(a, a);
  assert.ok(Math.abs(same.ssim - 1) < 1e-12 && Math.abs(same.msSsim! - 1) < 1e-12);
  const [ab, ba] = [structuralSimilarity(a, b), structuralSimilarity(b, a)];
  assertNear(ab.ssim, ba.ssim, 'SSIM');
  assertNear(ab.msSsim, ba.msSsim!, 'MS-SSIM');
});

test('small pictures have no MS-SSIM; those without a window, and unequal sizes, are refused', () => {
  assert.equal(MS_SSIM_MIN_SIDE, 176);
  const side = (size: number) => structuralSimilarity(waves(size, 200), waves(size, 200)).msSsim;
  assert.equal(side(175), undefined);
  assert.ok(side(176)! > 0.999);
  assert.throws(() => structuralSimilarity(waves(10, 30), waves(10, 30)), ShapeError);
  assert.throws(() => structuralSimilarity(waves(20, 30), waves(30, 20)), ShapeError);
});
