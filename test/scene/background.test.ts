import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { PersonMatter } from '../../src/face/person-matte.ts';
import { boxOf } from '../../src/face/portrait-face.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { cutOut, placeInFront } from '../../src/scene/background.ts';
import { isBackgroundWord } from '../../src/scene/background-words.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const LIMIT = { timeout: 600_000 };
let matter: PersonMatter;
let image: RgbImage;
let face: ReturnType<typeof boxOf>;
before(async () => {
  matter = await PersonMatter.open(loadOrtNetwork);
  image = await loadImage('assets/portraits/ben.jpg');
  const finder = await FaceFinder.open(loadOrtNetwork);
  face = boxOf((await finder.find(image))[0]!.landmarks);
});

test('a person before an even wall is cut out along the wall', LIMIT, async () => {
  const { alpha, foreground, behind } = await cutOut(image, '#ff0080', { face, matter });
  const { data, width, height } = image;
  // The wall is what has nearly the colour of the upper corner, above the shoulders.
  const wall = data.subarray(0, 3);
  let [different, counted] = [0, 0];
  for (let y = 0; y < height * 0.62; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const distance = Math.hypot(...[0, 1, 2].map((c) => data[3 * i + c]! - wall[c]!));
      // Between the two are soft edges, shadows and lights of the skin.
      if (distance > 30 && distance < 70) continue;
      counted++;
      if (alpha[i]! > 127 !== distance >= 70) different++;
    }
  }
  assert.ok(different / counted < 0.02, `${((100 * different) / counted).toFixed(2)} % of pixels`);
  const middle = Math.round(face.y + face.height / 2) * width + Math.round(face.x + face.width / 2);
  assert.deepEqual([alpha[middle], alpha[0]], [255, 0]);
  assert.deepEqual(
    foreground.data.subarray(3 * middle, 3 * middle + 3),
    data.subarray(3 * middle, 3 * middle + 3),
  );
  assert.deepEqual([...behind!.data.subarray(0, 3)], [255, 0, 128]);
});

test('out of focus, the wall has no shadow of the person', LIMIT, async () => {
  const { behind } = await cutOut(image, 'blurred', { face, matter });
  // Where the face was there is now something like the wall next to it: grey, not skin.
  const at = (Math.round(face.y) * image.width + Math.round(face.x + face.width / 2)) * 3;
  const [red, green, blue] = behind!.data.subarray(at, at + 3);
  assert.ok(Math.abs(red! - green!) < 40 && Math.abs(green! - blue!) < 40, `${red}, ${green}, ${blue}`);
});

test('a word that is none, and a file that is no picture, are refused', LIMIT, async () => {
  await assert.rejects(cutOut(image, 'purpel', { face, matter }), {
    code: 'INVALID_OPTION',
    message:
      /background: expected a colour \(green, .*\), blurred, transparent, or the path of a picture, got "purpel"/,
  });
  await assert.rejects(cutOut(image, './none.jpg', { face, matter }), {
    code: 'MEDIA',
    message: /none\.jpg/,
  });
  await assert.rejects(cutOut(image, 'package.json', { face, matter }), { code: 'MEDIA' });
  assert.ok(['green', '#0a0B0c', 'blurred', 'transparent'].every(isBackgroundWord));
  assert.ok(!['wall.jpg', '#12', 'Ben'].some(isBackgroundWord));
});

test('a frame is mixed with what is behind it by how opaque it is', () => {
  const frame = (): RgbImage => ({
    width: 3,
    height: 1,
    data: Uint8Array.from([200, 0, 0, 200, 0, 0, 200, 0, 0]),
  });
  const alpha = Uint8Array.from([255, 128, 0]);
  const behind = { width: 3, height: 1, data: new Uint8Array(9).fill(100) };
  const { data } = placeInFront(frame(), alpha, behind);
  assert.deepEqual([...data], [200, 0, 0, 150, 50, 50, 100, 100, 100]);
  const clear = placeInFront(frame(), alpha, undefined);
  assert.deepEqual([...clear.data], [200, 0, 0, 255, 200, 0, 0, 128, 200, 0, 0, 0]);
});
