import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { distinctFaces, FaceFinder, searchSquares } from '../../src/face/face-finder.ts';
import { regionFromLandmarks } from '../../src/face/region.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { DRAWN_FACE, drawFace } from '../helpers/drawn-face.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

let finder: FaceFinder;
let drawn: RgbImage;
before(async () => {
  finder = await FaceFinder.open(loadOrtNetwork);
  drawn = await drawFace();
});
after(() => finder.dispose());

/** Puts `image` at (x, y) of a grey picture. */
function onCanvas(
  images: readonly [RgbImage, x: number, y: number][],
  width: number,
  height: number,
): RgbImage {
  const data = new Uint8Array(width * height * 3).fill(110);
  for (const [image, left, top] of images) {
    for (let y = 0; y < image.height; y++) {
      const row = image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3);
      data.set(row, ((top + y) * width + left) * 3);
    }
  }
  return { data, width, height };
}

/** Landmarks against a drawing's own features: the networks expect a real face's proportions. */
const DRAWING_PX = { rtol: 0, atol: 10 };

function eyeMiddle(landmarks: Float64Array, outer: number, inner: number): [number, number] {
  const at = (index: number): number => landmarks[index]!;
  return [(at(outer * 3) + at(inner * 3)) / 2, (at(outer * 3 + 1) + at(inner * 3 + 1)) / 2];
}

test('eyes, nose and mouth of a drawn face are where they are drawn', async () => {
  const faces = await finder.find(drawn);
  assert.equal(faces.length, 1);
  const { landmarks, presence } = faces[0]!;
  assert.ok(presence > 0.9);
  const { eyeY, rightEyeX, leftEyeX, noseTip, mouth } = DRAWN_FACE;
  assertAllClose(eyeMiddle(landmarks, 33, 133), [rightEyeX, eyeY], DRAWING_PX, 'right eye');
  assertAllClose(eyeMiddle(landmarks, 263, 362), [leftEyeX, eyeY], DRAWING_PX, 'left eye');
  assertAllClose(landmarks.subarray(12, 14), noseTip, DRAWING_PX, 'nose tip');
  assertAllClose(eyeMiddle(landmarks, 13, 14), mouth, DRAWING_PX, 'mouth');
  assert.ok(landmarks[4 * 3 + 2]! < landmarks[234 * 3 + 2]!, 'the nose is nearer than the ear');
});

test('landmarks move with the face when the picture is wider and the face elsewhere', async () => {
  const [plain, moved] = [
    await finder.find(drawn),
    await finder.find(onCanvas([[drawn, 150, 60]], 900, 600)),
  ];
  const expected = plain[0]!.landmarks.map((value, i) => value + ([150, 60, 0][i % 3] ?? 0));
  // Two passes do not remove all of what the detector's other box changes.
  assertAllClose(moved[0]!.landmarks, expected, { rtol: 0, atol: 6 });
});

test('a turned head is found, and its landmarks turn with it', async () => {
  const { data, info } = await sharp(drawn.data, { raw: { width: 512, height: 512, channels: 3 } })
    .rotate(20, { background: '#8fa3b0' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const faces = await finder.find({ data: new Uint8Array(data), width: info.width, height: info.height });
  assert.equal(faces.length, 1);
  const { landmarks } = faces[0]!;
  const angle = Math.atan2(
    landmarks[263 * 3 + 1]! - landmarks[33 * 3 + 1]!,
    landmarks[263 * 3]! - landmarks[33 * 3]!,
  );
  assertAllClose([(angle * 180) / Math.PI], [20], { rtol: 0, atol: 2 });
});

test('of several faces the largest comes first', async () => {
  const small = await drawFace(320);
  const faces = await finder.find(
    onCanvas(
      [
        [small, 0, 100],
        [drawn, 330, 0],
      ],
      850,
      512,
    ),
  );
  assert.equal(faces.length, 2);
  const [first, second] = faces.map(({ detection }) => detection.box);
  assert.ok(first!.width > second!.width);
  assert.ok(first!.x > 330 && second!.x < 330);
});

test('a face that is small in the picture is found in a part of it', async () => {
  const small = await drawFace(128);
  const faces = await finder.find(onCanvas([[small, 60, 500]], 800, 800));
  assert.equal(faces.length, 1);
  assertAllClose(eyeMiddle(faces[0]!.landmarks, 13, 14), [60 + 64, 500 + 85], { rtol: 0, atol: 4 });
});

test('pictures without a face have none', async () => {
  const flat = onCanvas([], 400, 300);
  const stripes = { ...flat, data: flat.data.map((_, i) => (Math.floor(i / 30) % 2) * 200) };
  assert.deepEqual(await finder.find(flat), []);
  assert.deepEqual(await finder.find(stripes), []);
});

test('the squares that are searched cover the picture', () => {
  for (const [width, height] of [
    [640, 480],
    [300, 900],
    [64, 64],
  ] as const) {
    const [whole, wide, ...parts] = searchSquares(width, height);
    assert.equal(whole!.side, Math.max(width, height));
    assert.ok(wide!.side > whole!.side);
    for (const x of [0, width / 3, width - 1]) {
      for (const y of [0, height / 3, height - 1]) {
        const inside = parts.some((p) => x >= p.x && y >= p.y && x <= p.x + p.side && y <= p.y + p.side);
        assert.ok(inside, `(${x}, ${y}) of ${width} x ${height}`);
      }
    }
  }
});

const portraits = new URL('../../assets/portraits/', import.meta.url);
const files = existsSync(portraits) ? readdirSync(portraits).filter((file) => file.endsWith('.jpg')) : [];

test('every sample portrait has one face', {
  skip: files.length === 0 && 'assets/portraits is empty',
}, async () => {
  for (const file of files) {
    const { data, info } = await sharp(fileURLToPath(new URL(file, portraits)))
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const faces = await finder.find({ data: new Uint8Array(data), width: info.width, height: info.height });
    assert.equal(faces.length, 1, file);
    assert.ok(faces[0]!.presence > 0.9, file);
  }
});

test('of a group, smaller faces follow those that are seen in the whole picture', async () => {
  const small = await drawFace(190);
  const group = onCanvas(
    [
      [drawn, 0, 150],
      [small, 1100, 20],
    ],
    1340,
    700,
  );
  const whole = await finder.find(group);
  assert.equal(whole.length, 1);
  const all = await finder.findAll(group);
  assert.equal(all.length, 2);
  assert.deepEqual(all[0], whole[0]);
  const [x, y] = [all[1]!.landmarks[0]!, all[1]!.landmarks[1]!];
  assert.ok(x > 1100 && x < 1290 && y > 20 && y < 210, `${x}, ${y}`);
  // A face that is cut off by the edges of the parts is still one.
  assert.equal((await finder.findAll(drawn)).length, 1);
});

test('detections that lead to the same landmarks are one face', async () => {
  const [face] = await finder.find(drawn);
  const at = (x: number) => ({
    ...face!,
    landmarks: face!.landmarks.map((value, i) => (i % 3 === 0 ? value + x : value)),
  });
  assert.deepEqual(distinctFaces([face!, at(3), at(400), at(-2)]), [face, at(400)]);
});

/** Drawn openings are 1.2 times the number that the drawing is given; landmarks of a drawing are exact to so many pixels. */
const OPENING_PX = 5;

for (const mouth of [0, 8, 16]) {
  test(`the attention mesh sees lips that are drawn ${1.2 * mouth} px apart`, async () => {
    const image = await drawFace(512, { mouth });
    const [face] = await finder.find(image);
    const { points, presence } = await finder.preciseLandmarksInRegion(
      image,
      regionFromLandmarks(face!.landmarks),
    );
    assert.ok(presence > 0.9);
    const opening = points[3 * 14 + 1]! - points[3 * 13 + 1]!;
    assert.ok(Math.abs(opening - 1.2 * mouth) < OPENING_PX, `${opening} px`);
  });
}

test('the attention mesh sees lids open and shut', async () => {
  const lidsOf = async (image: RgbImage): Promise<number> => {
    const [face] = await finder.find(image);
    const { points } = await finder.preciseLandmarksInRegion(image, regionFromLandmarks(face!.landmarks));
    return (points[3 * 145 + 1]! - points[3 * 159 + 1]! + points[3 * 374 + 1]! - points[3 * 386 + 1]!) / 2;
  };
  const [open, shut] = [await lidsOf(drawn), await lidsOf(await drawFace(512, { eyesShut: true }))];
  // Drawn 18 px apart, rims included.
  assert.ok(open > 10 && open < 20, `${open} px`);
  assert.ok(Math.abs(shut) < 3, `${shut} px`);
});
