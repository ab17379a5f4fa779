import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaceError } from '../../src/errors.ts';
import type { FoundFace } from '../../src/face/face-finder.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { seenBy } from '../helpers/seen-face.ts';

const image = { data: new Uint8Array(0), width: 512, height: 512 };
const path = 'portrait.jpg';

/** The canonical face in a pose (degrees, cm), as the networks would report it. */
function face(pose: readonly number[]): FoundFace {
  const landmarks = seenBy(loadFaceMesh().vertices, poseToMatrix(pose), image.width, image.height);
  const box = { x: 100, y: 120, width: 200, height: 200 };
  return { landmarks, presence: 1, detection: { box, keypoints: new Float64Array(12), score: 1 } };
}

function problemOf(faces: readonly FoundFace[]): FaceError {
  try {
    choosePortraitFace(image, faces, { path });
  } catch (error) {
    assert.ok(error instanceof FaceError);
    assert.equal(error.path, path);
    return error;
  }
  assert.fail('expected a FaceError');
}

test('a face towards the camera is taken, with its pose', () => {
  const notices: string[] = [];
  const chosen = choosePortraitFace(image, [face([5, -10, 3, 1, 2, -45])], {
    path,
    onNotice: (message) => notices.push(message),
  });
  assertAllClose(chosen.pose, [5, -10, 3, 1, 2, -45], { rtol: 2e-3, atol: 2e-3 });
  assert.ok(chosen.size > 100 && chosen.size < 250);
  assert.deepEqual(notices, []);
});

test('no face is refused, with what helps', () => {
  const error = problemOf([]);
  assert.equal(error.problem, 'no-face');
  assert.match(error.message, /^Cannot animate portrait\.jpg: expected a face, found none\. Use an upright/);
});

test('a small face is refused with its size and the least size', () => {
  const error = problemOf([face([0, 0, 0, 0, 0, -180])]);
  assert.equal(error.problem, 'too-small');
  assert.match(error.message, /at least 64 pixels, got one of \d\d pixels/);
});

for (const [pose, turn] of [
  [[0, 48, 0, 0, 0, -45], /turned 4\d° to the right of the picture\./],
  [[0, -48, 0, 0, 0, -45], /turned 4\d° to the left of the picture\./],
  [[42, 0, 0, 0, 0, -45], /turned 4\d° down\./],
  [[-42, 0, 0, 0, 0, -45], /turned 4\d° up\./],
] as const) {
  test(`a face posed at ${pose.join(', ')} is refused as turned away`, () => {
    const error = problemOf([face(pose)]);
    assert.equal(error.problem, 'turned-away');
    assert.match(error.message, turn);
  });
}

test('a face far from the middle of the picture is turned by how it looks, not by where it is', () => {
  // The networks see a face alone: where it is in the picture does not change its depths.
  const looking = face([5, -10, 3, 0, 0, -45]);
  const wide = { width: 4000, height: 512 };
  const chosen = (x: number) => {
    const landmarks = looking.landmarks.map((value, i) => (i % 3 === 0 ? value + x : value));
    return choosePortraitFace(wide, [{ ...looking, landmarks }], { path });
  };
  const middle = chosen(wide.width / 2 - 256).faces[0]!.angles;
  assertAllClose([middle.pitch, middle.yaw, middle.roll], [5, -10, 3], { rtol: 0, atol: 1 });
  const right = chosen(wide.width - 512);
  assert.ok(right.pose[1]! < -35, `${right.pose[1]}° from the camera's axis`);
  const { pitch, yaw, roll } = right.faces[0]!.angles;
  assertAllClose([pitch, yaw, roll], [middle.pitch, middle.yaw, middle.roll], { rtol: 0, atol: 1e-3 });
});

test('of several faces the first is taken, and the user is notified', () => {
  const notices: string[] = [];
  const front = face([0, 0, 0, 0, 0, -45]);
  const chosen = choosePortraitFace(image, [front, face([0, 60, 0, 9, 0, -80])], {
    path,
    onNotice: (message) => notices.push(message),
  });
  assert.equal(chosen.landmarks, front.landmarks);
  assert.equal(notices.length, 1);
  assert.match(notices[0]!, /shows 2 faces; the largest one, around pixel \(200, 220\)/);
});

test('of several faces the largest is taken that can be animated', () => {
  const notices: string[] = [];
  const away = face([0, 60, 0, -6, 0, -45]);
  const front = face([0, 0, 0, 9, 0, -80]);
  const onNotice = (message: string) => notices.push(message);
  const chosen = choosePortraitFace(image, [away, front], { path, onNotice });
  assert.equal(chosen.landmarks, front.landmarks);
  assert.equal(chosen.number, 2);
  assert.deepEqual(
    chosen.faces.map(({ number, problem }) => [number, problem]),
    [
      [1, 'turned-away'],
      [2, undefined],
    ],
  );
  assert.match(notices[0]!, /the largest one that can be animated.*1 around pixel \(\d+, \d+\), turned away/);
});

test('a face is chosen by its number from the left, or by a place in it', () => {
  const [left, right] = [face([0, 0, 0, -9, 0, -80]), face([0, 0, 0, 6, 0, -50])];
  const faces = [right, left];
  const choose = (choice: number | string) => choosePortraitFace(image, faces, { path, choice });
  assert.equal(choose(1).landmarks, left.landmarks);
  assert.equal(choose(2).landmarks, right.landmarks);
  const { box } = choose(1).faces[0]!;
  const place = `${Math.round(box.x + box.width / 2)},${Math.round(box.y + box.height / 2)}`;
  assert.equal(choose(place).landmarks, left.landmarks);
  for (const choice of [3, '1,1']) {
    assert.throws(() => choose(choice), {
      code: 'INVALID_OPTION',
      message:
        /face: expected one of the faces of portrait\.jpg \(1 around pixel .*; 2 around pixel .*\), got/,
    });
  }
});

test('a chosen face that looks away is refused, and the others are named', () => {
  const faces = [face([0, 0, 0, 9, 0, -45]), face([0, 60, 0, -9, 0, -80])];
  assert.throws(() => choosePortraitFace(image, faces, { path, choice: 1 }), {
    code: 'FACE',
    message: /turned \d+° to the right of the picture.*shows 2 faces/,
  });
});
