import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import {
  chooseView,
  drawView,
  parseAspect,
  parseVideoSize,
  readShape,
  sizeOfView,
} from '../../src/scene/video-shape.ts';

const PHOTO = { width: 1200, height: 900 };
const FACE = { x: 800, y: 300, width: 200, height: 240 };

test('sizes are even and of a usual length', () => {
  assert.deepEqual(parseVideoSize('1080x1920'), { width: 1080, height: 1920 });
  for (const text of ['1081x1920', '20000x1080', '1080', '1080x', 'x1080', '0x0', '62x62', '3840x64']) {
    assert.equal(parseVideoSize(text), undefined, text);
  }
  assert.equal(parseAspect('9:16'), 9 / 16);
  for (const text of ['9/16', '0:1', '1:0', '100:1']) assert.equal(parseAspect(text), undefined, text);
  assert.equal(readShape({}), undefined);
});

test('a portrait format is cut out around the head, inside of the picture', () => {
  const view = chooseView(PHOTO, FACE, { aspect: 9 / 16, fit: 'crop' });
  assert.deepEqual([view.height, view.y], [900, 0]);
  assert.ok(Math.abs(view.width - (900 * 9) / 16) < 1e-9);
  assert.ok(Math.abs(view.x + view.width / 2 - 900) < 1e-9, 'the face is in the middle');
  const atTheEdge = chooseView(PHOTO, { ...FACE, x: 1000 }, { aspect: 9 / 16, fit: 'crop' });
  assert.equal(atTheEdge.x + atTheEdge.width, 1200);
});

test('a head that does not fit into the part is shown whole, with an edge above it', () => {
  const bust = { width: 500, height: 500 };
  const view = chooseView(bust, { x: 100, y: 150, width: 300, height: 300 }, { aspect: 9 / 16, fit: 'crop' });
  assert.ok(view.width > 400 && view.height > 500);
  assert.ok(Math.abs(view.y + view.height - 500) < 1e-9);
});

test('the whole picture is shown where that is asked for', () => {
  const view = chooseView(PHOTO, FACE, { aspect: 9 / 16, fit: 'pad' });
  assert.deepEqual([view.x, view.width], [0, 1200]);
  assert.ok(Math.abs(view.y + (view.height - 900) / 2) < 1e-9);
  assert.deepEqual(sizeOfView(view, { aspect: 9 / 16, fit: 'pad' }), { width: 1080, height: 1920 });
});

test('a part is drawn at its size, and what is missing is no black bar', () => {
  const image: RgbImage = { width: 100, height: 80, data: new Uint8Array(100 * 80 * 3) };
  for (let i = 0; i < image.data.length; i++) image.data[i] = i % 3 === 0 ? 200 : 50;
  const view = { x: 0, y: -40, width: 100, height: 160 };
  const { data, width, height } = drawView(image, view, { width: 50, height: 80 });
  assert.deepEqual([width, height], [50, 80]);
  for (const y of [2, 40, 77]) assert.ok(Math.abs(data[(y * 50 + 25) * 3]! - 200) <= 2, `row ${y}`);
});
