import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ShapeError } from '../../src/errors.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { fitFaceGeometry, projectMesh } from '../../src/face/geometry.ts';
import { matrixToPose, multiplyMatrices, poseToMatrix } from '../../src/face/rotation.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { seenBy } from '../helpers/seen-face.ts';

type Rows = number[][];
const golden = JSON.parse(
  readFileSync(new URL('../golden/face/pose_maths.json', import.meta.url), 'utf8'),
) as {
  project_points: {
    vertices: Rows[];
    reference_matrix: Rows;
    poses: Rows;
    cases: { image_height_width: [number, number]; points: Rows[] }[];
  };
  project_points_with_trans: {
    vertices: Rows[];
    matrices: Rows[];
    cases: { image_height_width: [number, number]; points: Rows[] }[];
  };
};
/** The goldens are double precision but for the camera matrix, whose rounding the code repeats. */
const DOUBLE = { rtol: 1e-9, atol: 1e-9 };

for (const [i, { image_height_width: size, points }] of golden.project_points.cases.entries()) {
  test(`posed points in an image of ${size[1]} x ${size[0]} are where the reference puts them (${i})`, () => {
    const { vertices, reference_matrix: reference, poses } = golden.project_points;
    for (const [frame, mesh] of vertices.entries()) {
      const transform = multiplyMatrices(reference.flat(), poseToMatrix(poses[frame]!));
      assertAllClose(projectMesh(mesh.flat(), transform, size[1], size[0]), points[frame]!.flat(), DOUBLE);
    }
  });
}

for (const { image_height_width: size, points } of golden.project_points_with_trans.cases) {
  test(`points under given matrices in an image of ${size[1]} x ${size[0]} are where the reference puts them`, () => {
    const { vertices, matrices } = golden.project_points_with_trans;
    for (const [frame, mesh] of vertices.entries()) {
      const actual = projectMesh(mesh.flat(), matrices[frame]!.flat(), size[1], size[0]);
      assertAllClose(actual, points[frame]!.flat(), DOUBLE);
    }
  });
}

for (const [pose, width, height] of [
  [[0, 0, 0, 0, 0, -40], 512, 512],
  [[12, -20, 8, 3, -2, -50], 640, 480],
  [[-15, 25, -30, -4, 5, -35], 480, 720],
] as const) {
  test(`the fit finds a face posed at ${pose.join(', ')} in ${width} x ${height}`, () => {
    const canonical = loadFaceMesh().vertices;
    const landmarks = seenBy(canonical, poseToMatrix(pose), width, height);
    const { mesh, transform } = fitFaceGeometry(landmarks, width, height);
    // The two-step estimate of the scale leaves a small error, as in the original.
    assertAllClose(matrixToPose(transform), pose, { rtol: 2e-3, atol: 2e-3 });
    assertAllClose(mesh, canonical, { rtol: 0, atol: 0.01 });
    const scale = Math.hypot(transform[0]!, transform[4]!, transform[8]!);
    assertAllClose([scale], [1], { rtol: 2e-3, atol: 0 });
    // Whatever was fitted, it lies over the landmarks; the projection's depth factor of 1.0001 remains.
    const seen = landmarks.filter((_, i) => i % 3 !== 2);
    assertAllClose(projectMesh(mesh, transform, width, height), seen, { rtol: 0, atol: 0.03 });
  });
}

test('a changed expression is found in the mesh and does not move the pose', () => {
  const changed = Float64Array.from(loadFaceMesh().vertices);
  changed[17 * 3 + 1]! -= 1; // the lower lip is no landmark of the fit
  const { mesh, transform } = fitFaceGeometry(
    seenBy(changed, poseToMatrix([0, 0, 0, 0, 0, -40]), 512, 512),
    512,
    512,
  );
  assertAllClose(mesh.subarray(51, 54), changed.subarray(51, 54), { rtol: 0, atol: 0.02 });
  assertAllClose(matrixToPose(transform), [0, 0, 0, 0, 0, -40], { rtol: 2e-3, atol: 2e-2 });
});

test('too few landmarks are refused', () => {
  assert.throws(() => fitFaceGeometry(new Float64Array(467 * 3), 512, 512), ShapeError);
});
