import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { exerciseFrames } from '../../scripts/lib/exercise.ts';
import { measureMesh } from '../../scripts/lib/face-measures.ts';
import { slope } from '../../scripts/lib/follow-report.ts';
import { KnownMotions } from '../../scripts/lib/known-motion.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';

const weights = openSafetensors(path.resolve('assets/bundles/tiny/motion.safetensors'));
const basis = loadExpressionBasis(weights);
weights.dispose();
const { vertices } = loadFaceMesh();
const motions = new KnownMotions(vertices, basis);

function measured(motion: Parameters<KnownMotions['at']>[0]) {
  const { offsets, pose } = motions.at(motion);
  return measureMesh(
    vertices.map((value, i) => value + offsets[i]!),
    poseToMatrix(pose),
  );
}

test('a motion of known size moves the mesh by that size and leaves the rest', () => {
  const rest = measured({});
  const moved = measured({ opening: 12, width: -5, brows: 3, head: [4, -7, 2] });
  // Lips also move towards the camera a little.
  assert.ok(Math.abs(moved.opening - 12) < 0.9, `opening ${moved.opening}`);
  assert.ok(Math.abs(measured({ width: -5 }).width - rest.width + 5) < 0.3);
  assert.ok(Math.abs(measured({ width: 6 }).opening - rest.opening) < 0.5);
  assert.ok(Math.abs(moved.brows - rest.brows - 3) < 0.4, `brows ${moved.brows - rest.brows}`);
  assert.ok(Math.abs(moved.lids - rest.lids) < 0.3, `lids ${moved.lids - rest.lids}`);
  assert.ok(Math.abs(moved.pitch - 4) < 1e-4 && Math.abs(moved.yaw + 7) < 1e-4);
});

test('lids that are driven shut meet', () => {
  // One lies behind the other.
  assert.ok(measured({ lids: 1 }).lids < 1.6, `${measured({ lids: 1 }).lids} mm`);
});

test('the exercise begins and ends every part near rest and goes to its full size', () => {
  const openings = exerciseFrames().map(({ motion }) => motion.opening ?? 0);
  assert.ok(Math.max(...openings) > 19.5);
  assert.ok(openings[0]! < 0.1 && openings.at(-1)! < 0.1);
});

test('the slope of what was found over what was driven passes over frames without a face', () => {
  const driven = [0, 1, 2, 3, 4];
  assert.ok(Math.abs(slope({ driven, found: [5, 5.5, Number.NaN, 6.5, 7] }) - 0.5) < 1e-12);
});
