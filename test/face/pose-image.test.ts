import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { InvalidOptionError, ShapeError } from '../../src/errors.ts';
import { drawPoseImage, resizePoseImage } from '../../src/face/pose-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';

const folder = new URL('../golden/face/', import.meta.url);
interface Picture {
  readonly file: string;
  readonly set: 'spiral' | 'face' | 'edge_cases';
  readonly size: [width: number, height: number];
  readonly then_resized_to?: [width: number, height: number];
  readonly normalised: boolean;
}
const golden = JSON.parse(readFileSync(new URL('landmark_pictures.json', folder), 'utf8')) as {
  sets: Record<Picture['set'], { xy: [number, number][] }>;
  pictures: Picture[];
  rounding: { rows: { value: number; drawable: boolean; pixel: number | null }[] };
};

async function readPng(file: string): Promise<RgbImage> {
  const { data, info } = await sharp(fileURLToPath(new URL(file, folder)))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}

function differences(a: RgbImage, b: RgbImage): { count: number; largest: number } {
  let [count, largest] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    const difference = Math.abs(a.data[i]! - b.data[i]!);
    if (difference > 0) count += 1;
    largest = Math.max(largest, difference);
  }
  return { count, largest };
}

for (const { file, set, size, normalised, then_resized_to: last } of golden.pictures) {
  test(`${file} is drawn as the reference draws it, byte for byte`, async () => {
    const [width, height] = normalised ? [1, 1] : size;
    const points = golden.sets[set].xy.flatMap(([x, y]) => [x * width, y * height]);
    let actual = resizePoseImage(drawPoseImage(points, { width, height }), ...size);
    if (last !== undefined) actual = resizePoseImage(actual, ...last);
    const expected = await readPng(file);
    assert.deepEqual([actual.width, actual.height], [expected.width, expected.height]);
    assert.deepEqual(differences(actual, expected), { count: 0, largest: 0 });
  });
}

for (const { value, drawable, pixel } of golden.rounding.rows) {
  test(`a landmark at ${value} is ${drawable ? `drawn at ${pixel}` : 'not drawn'}`, () => {
    // All edges become dots: one landmark that is drawn, at (x, 0.5), everything else is at the same place.
    const points = Array.from({ length: 468 * 2 }, (_, i) => (i % 2 === 0 ? value : 0.5));
    const { data, width } = drawPoseImage(points, { width: 1, height: 1 });
    const row = data.subarray(256 * width * 3, 257 * width * 3);
    const lit = Array.from({ length: width }, (_, x) => x).filter((x) => row[x * 3 + 1]! > 0);
    const expected = drawable ? [pixel! - 1, pixel!, pixel! + 1].filter((x) => x >= 0 && x < 512) : [];
    assert.deepEqual(lit, expected);
  });
}

test('a drawing in the memory of another one shows nothing of it', () => {
  const square = { width: 1, height: 1 };
  const points = golden.sets[golden.pictures[0]!.set].xy.flat();
  const fresh = drawPoseImage(points, square);
  const used = drawPoseImage(
    points.map((value) => 0.9 * value),
    square,
  );
  assert.notDeepEqual(used.data, fresh.data);
  const again = drawPoseImage(points, square, used.data);
  assert.equal(again.data, used.data);
  assert.deepEqual(again, fresh);
});

test('an image of the right size is returned as it is', () => {
  const image = drawPoseImage(new Float64Array(468 * 2), { width: 1, height: 1 });
  assert.equal(resizePoseImage(image, 512, 512), image);
});

test('too few points and impossible sizes are refused', () => {
  assert.throws(() => drawPoseImage(new Float64Array(10), { width: 1, height: 1 }), ShapeError);
  const image = { data: new Uint8Array(3), width: 1, height: 1 };
  assert.throws(() => resizePoseImage(image, 0, 4), InvalidOptionError);
});
