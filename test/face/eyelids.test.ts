import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Eyelids } from '../../src/face/eyelids.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { LID_COLUMNS } from '../helpers/recorded-face.ts';

const SIZE = 512;
const SKIN = [190, 140, 120] as const;
const RIGHT_EYE = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7];
const [RIGHT_UPPER, RIGHT_LOWER] = [159, 145];
const [LEFT_UPPER, LEFT_LOWER] = [386, 374];

/** The canonical face, turned about the camera's axis, with its lids closed by a share. */
function facePoints({ closed = 0, roll = 0 } = {}): Float64Array {
  const { vertices } = loadFaceMesh();
  const mesh = Float64Array.from(vertices);
  for (const [upper, lower] of LID_COLUMNS) {
    for (let axis = 3 * upper; axis < 3 * upper + 3; axis++) {
      mesh[axis]! += closed * (vertices[axis - 3 * upper + 3 * lower]! - vertices[axis]!);
    }
  }
  return projectMesh(mesh, poseToMatrix([0, 0, roll, 0, 0, -22]), SIZE, SIZE);
}

function colourAt({ data, width }: RgbImage, x: number, y: number): number[] {
  const at = (Math.floor(y) * width + Math.floor(x)) * 3;
  return [...data.subarray(at, at + 3)];
}

/** Skin with eyes whose white has a blue iris in the middle of the right one. */
function face(points: Float64Array): RgbImage {
  const data = new Uint8Array(SIZE * SIZE * 3);
  for (let i = 0; i < data.length; i += 3) data.set(SKIN, i);
  for (const eye of [RIGHT_EYE, LID_COLUMNS.slice(7).flat().concat(362, 263)]) {
    const [xs, ys] = [eye.map((p) => points[2 * p]!), eye.map((p) => points[2 * p + 1]!)];
    const [cx, cy] = [(Math.min(...xs) + Math.max(...xs)) / 2, (Math.min(...ys) + Math.max(...ys)) / 2];
    const [rx, ry] = [(Math.max(...xs) - Math.min(...xs)) / 2, (Math.max(...ys) - Math.min(...ys)) / 2];
    for (let y = Math.floor(cy - ry); y < cy + ry; y++) {
      for (let x = Math.floor(cx - rx); x < cx + rx; x++) {
        const isEye = ((x + 0.5 - cx) / rx) ** 2 + ((y + 0.5 - cy) / ry) ** 2 < 1;
        const isIris = Math.hypot(x + 0.5 - cx, y + 0.5 - cy) < 0.8 * ry;
        if (isEye) data.set(isIris ? [30, 60, 200] : [235, 235, 235], (y * SIZE + x) * 3);
      }
    }
  }
  return { data, width: SIZE, height: SIZE };
}

const eyePlace = (points: Float64Array, upper: number, lower: number, share: number): [number, number] => [
  points[2 * upper]!,
  points[2 * upper + 1]! + share * (points[2 * lower + 1]! - points[2 * upper + 1]!),
];

test('eyes as the portrait shows them are left alone, in another pose of the head too', () => {
  const open = facePoints();
  for (const roll of [0, 8]) {
    const image = face(facePoints({ roll }));
    const before = Uint8Array.from(image.data);
    new Eyelids(face(open), open).draw(image, facePoints({ roll }));
    assert.deepEqual(image.data, before);
  }
});

test('closed lids cover both eyes with skin, and say that it was not seen', () => {
  const open = facePoints();
  const source = face(open);
  const image = face(open);
  const reliability = new Uint8Array(SIZE * SIZE).fill(255);
  new Eyelids(source, open).draw(image, facePoints({ closed: 1 }), reliability);
  for (const [upper, lower] of [
    [RIGHT_UPPER, RIGHT_LOWER],
    [LEFT_UPPER, LEFT_LOWER],
  ] as const) {
    for (const share of [0.15, 0.5, 0.85]) {
      const [x, y] = eyePlace(open, upper, lower, share);
      const colour = colourAt(image, x, y);
      assert.ok(
        colour.every((value, c) => Math.abs(value - SKIN[c]!) < 25),
        `${share} of the way down: ${colour}`,
      );
      assert.ok(reliability[Math.floor(y) * SIZE + Math.floor(x)]! < 80);
    }
  }
  assert.deepEqual(colourAt(image, open[2 * 4]!, open[2 * 4 + 1]!), [...SKIN], 'the nose is left alone');
  assert.equal(reliability[Math.floor(open[2 * 4 + 1]!) * SIZE + Math.floor(open[2 * 4]!)], 255);
});

test('a half-closed lid covers the upper half; below it the eye is where it was, and of its size', () => {
  const open = facePoints();
  const source = face(open);
  const image = face(open);
  new Eyelids(source, open).draw(image, facePoints({ closed: 0.5 }));
  const upper = colourAt(image, ...eyePlace(open, RIGHT_UPPER, RIGHT_LOWER, 0.2));
  assert.ok(Math.abs(upper[0]! - SKIN[0]) < 25, `skin above: ${upper}`);
  for (const share of [0.78, 0.85]) {
    const place = eyePlace(open, RIGHT_UPPER, RIGHT_LOWER, share);
    const [now, before] = [colourAt(image, ...place), colourAt(source, ...place)];
    assert.ok(
      now.every((value, c) => Math.abs(value - before[c]!) <= 12),
      `${share} of the way down: ${now} instead of ${before}`,
    );
  }
});

test('lids close in a turned head, at the place of its eyes', () => {
  const open = facePoints();
  const turned = facePoints({ roll: 10 });
  const image = face(turned);
  new Eyelids(face(open), open).draw(image, facePoints({ roll: 10, closed: 1 }));
  const colour = colourAt(image, ...eyePlace(turned, RIGHT_UPPER, RIGHT_LOWER, 0.5));
  assert.ok(Math.abs(colour[0]! - SKIN[0]) < 25 && Math.abs(colour[2]! - SKIN[2]) < 25, `${colour}`);
});
