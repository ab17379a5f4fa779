import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { MouthInterior } from '../../src/face/mouth-interior.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const SIZE = 512;
const LOWER_FACE = [14, 87, 178, 88, 95, 317, 402, 318, 324, 17, 152];

/** The canonical face with its lower inner lip moved by `down` and `up` pixels, and the whole by `shift`. */
function facePoints({ down = 0, shift = 0 } = {}): Float64Array {
  const { vertices } = loadFaceMesh();
  const points = projectMesh(vertices, poseToMatrix([0, 0, 0, 0, 0, -22]), SIZE, SIZE);
  // The canonical mouth is a little open: its lower lip is brought up to the upper one.
  const closed = points[14 * 2 + 1]! - points[13 * 2 + 1]! - 1;
  for (const i of LOWER_FACE) points[i * 2 + 1]! += down - closed;
  return points.map((value, i) => (i % 2 === 0 ? value + shift : value));
}

/** A face of one colour with a mouth of its own colour. */
function skin(): RgbImage {
  const data = new Uint8Array(SIZE * SIZE * 3);
  for (let i = 0; i < data.length; i += 3) data.set([190, 140, 120], i);
  return { data, width: SIZE, height: SIZE };
}

function colourAt({ data, width }: RgbImage, x: number, y: number): number[] {
  const at = (Math.round(y) * width + Math.round(x)) * 3;
  return [...data.subarray(at, at + 3)];
}

const middle = (points: Float64Array): [number, number, number] => [
  points[13 * 2]!,
  points[13 * 2 + 1]!,
  points[14 * 2 + 1]!,
];

test('a mouth as the portrait shows it is left alone', () => {
  const image = skin();
  new MouthInterior(image, facePoints()).draw(image, facePoints({ shift: 9 }));
  assert.deepEqual(image.data, skin().data);
});

test('an opened mouth shows light teeth above and a dark cavity below, and nothing outside of the lips changes', () => {
  const image = skin();
  const open = facePoints({ down: 30 });
  new MouthInterior(skin(), facePoints()).draw(image, open);
  const [x, top, bottom] = middle(open);
  const [tooth, cavity] = [colourAt(image, x + 3, top + 2), colourAt(image, x, (top + bottom) / 2)];
  assert.ok(
    tooth.every((value) => value > 70),
    `tooth ${tooth}`,
  );
  assert.ok(tooth[2]! > 2 * cavity[2]!, `tooth ${tooth}, cavity ${cavity}`);
  assert.ok(cavity[0]! < 90 && cavity[0]! > cavity[1]!, `cavity ${cavity}`);
  for (const y of [top - 3, bottom + 3]) assert.deepEqual(colourAt(image, x, y), [190, 140, 120]);
});

test('teeth stay with the skull: they do not follow a falling jaw', () => {
  const edgeOf = (down: number): number => {
    const image = skin();
    const open = facePoints({ down });
    new MouthInterior(skin(), facePoints()).draw(image, open);
    const [x, top, bottom] = middle(open);
    let y = Math.round(top) + 2;
    while (y < bottom && colourAt(image, x + 3, y)[2]! > 60) y += 1;
    return y;
  };
  assert.ok(Math.abs(edgeOf(25) - edgeOf(45)) <= 1, `${edgeOf(25)}, ${edgeOf(45)}`);
});

test('a portrait that shows its own inside keeps it at its place', () => {
  const own = facePoints({ down: 20 });
  const image = skin();
  const [x, top, bottom] = middle(own);
  // What lies between the portrait's lips is green.
  for (let y = Math.floor(top); y <= bottom; y++) {
    for (let dx = -40; dx <= 40; dx++) image.data.set([20, 200, 20], (y * SIZE + Math.round(x) + dx) * 3);
  }
  const drawn = { ...image, data: Uint8Array.from(image.data) };
  const open = facePoints({ down: 50 });
  new MouthInterior(image, own).draw(drawn, open);
  assert.ok(colourAt(drawn, x, (top + bottom) / 2)[1]! > 150);
  const below = colourAt(drawn, x, middle(open)[2] - 6);
  assert.ok(below[1]! < 120, `no second row of it: ${below}`);
});

test('a smile that closes neither squeezes its teeth nor leaves its jaw behind', () => {
  const own = facePoints({ down: 50 });
  const image = skin();
  const [x, top, bottom] = middle(own);
  // Upper teeth are green, lower ones red, and it is dark between them.
  for (let y = Math.floor(top); y <= bottom; y++) {
    const way = (y + 0.5 - top) / (bottom - top);
    const colour = way < 0.5 ? [20, 220, 20] : way < 0.7 ? [10, 10, 10] : [220, 20, 20];
    for (let dx = -40; dx <= 40; dx++) image.data.set(colour, (y * SIZE + Math.round(x) + dx) * 3);
  }
  const drawn = { ...image, data: Uint8Array.from(image.data) };
  const half = facePoints({ down: 32 });
  new MouthInterior(image, own).draw(drawn, half);
  const [, , lip] = middle(half);
  const upper = colourAt(drawn, x, top + 18);
  const lower = colourAt(drawn, x, lip - 2);
  // Squeezed, the upper teeth would have ended after 16 pixels.
  assert.ok(upper[1]! > 120 && upper[0]! < 80, `upper teeth ${upper}`);
  assert.ok(lower[0]! > 110 && lower[1]! < 60, `lower teeth ${lower}`);
});

test('lips of an open portrait that meet have the line of closed ones, others none', () => {
  const [own, shut, open] = [facePoints({ down: 30 }), facePoints({ down: 1 }), facePoints({ down: 14 })];
  const portrait = new MouthInterior(skin(), own);
  const drawn = (points: Float64Array): RgbImage => {
    const image = skin();
    portrait.draw(image, points);
    return image;
  };
  const lineOf = (image: RgbImage): number => {
    const [x, top, bottom] = middle(shut);
    return colourAt(image, x, (top + bottom) / 2)[0]!;
  };
  assert.ok(lineOf(drawn(shut)) < 0.85 * 190, `${lineOf(drawn(shut))}`);
  const [x, top] = middle(shut);
  assert.deepEqual(colourAt(drawn(shut), x, top - 12), [190, 140, 120]);
  // Lips that stay apart have none: above the opening is skin.
  const [, upper] = middle(open);
  assert.deepEqual(colourAt(drawn(open), x, upper - 4), [190, 140, 120]);
  // Nor has a portrait whose lips are closed already.
  const closed = skin();
  new MouthInterior(skin(), shut).draw(closed, shut);
  assert.deepEqual(closed.data, skin().data);
});
