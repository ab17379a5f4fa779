import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { gapsOf, MOUTH, OpeningControl } from '../../src/motion/close-openings.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import { OpenMouth } from '../../src/motion/open-mouth.ts';
import { openMotion } from './motion-fixture.ts';

const LIMIT = { timeout: 120_000 };
/** Of a laughing mouth, column by column, in cm. */
const LAUGHING = [0.5, 1.1, 1.5, 1.7, 1.8, 1.7, 1.5, 1.1, 0.5];

function laughing(): Float64Array {
  const mesh = Float64Array.from(loadFaceMesh().vertices);
  new OpeningControl(MOUTH, mesh).set(mesh, LAUGHING, new Float32Array(MESH_VALUES));
  return mesh;
}

function gapsWith(mesh: Float64Array, offsets: Float32Array): Float64Array {
  return gapsOf(
    mesh.map((value, i) => value + offsets[i]!),
    MOUTH,
  );
}

test('a laughing mouth is closed from corner to corner, but for the share that is left', LIMIT, async () => {
  const { network, basis } = await openMotion();
  try {
    const mesh = laughing();
    const mouth = new OpenMouth(mesh, basis, 0.9);
    const offsets = new Float32Array(MESH_VALUES);
    mouth.close(offsets, 0);
    gapsWith(mesh, offsets).forEach((gap, column) => {
      const wanted = 0.04 + 0.1 * (LAUGHING[column]! - 0.04);
      assert.ok(Math.abs(gap - wanted) < 1e-3, `column ${column}: ${gap}, wanted ${wanted}`);
    });
    const shut = new Float32Array(MESH_VALUES);
    mouth.close(shut, 1);
    for (const gap of gapsWith(mesh, shut)) assert.ok(Math.abs(gap) < 1e-3, `${gap}`);
    const half = new Float32Array(MESH_VALUES);
    mouth.close(half, 0.5);
    assert.ok(Math.abs(gapsWith(mesh, half)[4]! - gapsWith(mesh, offsets)[4]! / 2) < 1e-3);
  } finally {
    await network.dispose();
  }
});

test('the upper face stays where it is', LIMIT, async () => {
  const { network, basis } = await openMotion();
  try {
    const offsets = new Float32Array(MESH_VALUES);
    new OpenMouth(laughing(), basis, 0.9).close(offsets, 1);
    for (const landmark of [10, 33, 263, 105, 334, 168]) {
      assert.ok(Math.hypot(...offsets.subarray(3 * landmark, 3 * landmark + 3)) < 0.02, `${landmark}`);
    }
  } finally {
    await network.dispose();
  }
});
