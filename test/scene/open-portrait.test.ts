import assert from 'node:assert/strict';
import path from 'node:path';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { FaceFinder } from '../../src/face/face-finder.ts';
import type { SeenFace } from '../../src/face/portrait-face.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import { readShape } from '../../src/scene/video-shape.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const LIMIT = { timeout: 600_000 };
const directory = temporaryDirectory();
let finder: FaceFinder;
before(async () => {
  finder = await FaceFinder.open(loadOrtNetwork);
});

async function open(file: string, options: object = {}) {
  const notices: string[] = [];
  let faces: readonly SeenFace[] = [];
  const portrait = await openPortrait({
    ...{ path: file, resolution: 64, framing: 'paste-back', view: { type: 'warp' }, finder },
    onNotice: (message) => notices.push(message),
    onFaces: (seen) => {
      faces = seen;
    },
    ...options,
  });
  return { portrait, notices, faces };
}

test(
  'a face that is lost in a panorama made smaller is found, and the video is cut around it',
  LIMIT,
  async () => {
    const file = path.join(directory, 'panorama.jpg');
    const input = await sharp('assets/portraits/ada.jpg').resize(700, 700).toBuffer();
    await sharp({ create: { width: 9000, height: 720, channels: 3, background: '#8090a0' } })
      .composite([{ input, left: 5200, top: 10 }])
      .jpeg()
      .toFile(file);
    const { portrait, notices, faces } = await open(file);
    assert.deepEqual([portrait.width, portrait.height], [1920, 720]);
    assert.equal(faces.length, 1);
    assert.ok(faces[0]!.size > 150, `${faces[0]!.size} pixels`);
    const middle = faces[0]!.box.x + faces[0]!.box.width / 2;
    assert.ok(middle > 5300 && middle < 5800, `at ${middle}`);
    assert.match(notices.at(-1)!, /9000×720 pixels.*shows the 1920×720 around it/);
  },
);

test('another shape is cut out around the head', LIMIT, async () => {
  const { portrait } = await open('assets/portraits/ada.jpg', { shape: readShape({ size: '360x640' }) });
  assert.deepEqual([portrait.width, portrait.height], [360, 640]);
  const square = await open('assets/portraits/ada.jpg', { shape: readShape({ aspect: '4:5' }) });
  assert.ok(Math.abs(square.portrait.width / square.portrait.height - 0.8) < 0.01);
});
