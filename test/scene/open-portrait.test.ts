import assert from 'node:assert/strict';
import path from 'node:path';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { choosePortraitFace, type SeenFace } from '../../src/face/portrait-face.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { eyeAperture, LidShapes } from '../../src/motion/lid-shapes.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { openPortrait } from '../../src/scene/open-portrait.ts';
import { AnimatedPortrait } from '../../src/scene/portrait.ts';
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
      .composite([{ input, left: 8100, top: 10 }])
      .jpeg()
      .toFile(file);
    const { portrait, notices, faces } = await open(file);
    assert.deepEqual([portrait.width, portrait.height], [1920, 720]);
    assert.equal(faces.length, 1);
    assert.ok(faces[0]!.size > 150, `${faces[0]!.size} pixels`);
    const middle = faces[0]!.box.x + faces[0]!.box.width / 2;
    assert.ok(middle > 8200 && middle < 8700, `at ${middle}`);
    assert.match(notices.at(-1)!, /9000×720 pixels.*shows the 1920×720 around it/);
  },
);

test('another shape is cut out around the head', LIMIT, async () => {
  const { portrait } = await open('assets/portraits/ada.jpg', { shape: readShape({ size: '360x640' }) });
  assert.deepEqual([portrait.width, portrait.height], [360, 640]);
  const square = await open('assets/portraits/ada.jpg', { shape: readShape({ aspect: '4:5' }) });
  assert.ok(Math.abs(square.portrait.width / square.portrait.height - 0.8) < 0.01);
});

/** A picture of the sample portrait with its lids closed by a share. */
async function withLids(closure: number): Promise<string> {
  const image = await loadImage('assets/portraits/ada.jpg');
  const face = choosePortraitFace(image, await finder.findPortrait(image), { path: 'ada.jpg' });
  const still = await AnimatedPortrait.create({ image, face, resolution: 256, framing: 'paste-back' });
  const offsets = new Float32Array(MESH_VALUES);
  new LidShapes(face.mesh).add([closure, closure], offsets);
  const file = path.join(directory, `lids-${closure}.png`);
  await saveImage(file, still.renderBase({ offsets, pose: new Float32Array(POSE_VALUES) }));
  return file;
}

async function apertureOf(picture: RgbImage): Promise<number> {
  const face = choosePortraitFace(picture, await finder.findPortrait(picture), { path: 'frame' });
  return (eyeAperture(face.mesh, 0) + eyeAperture(face.mesh, 1)) / 2;
}

test('lids that the picture has caught half closed are opened, with a notice', LIMIT, async () => {
  const file = await withLids(0.62);
  const before = await apertureOf(await loadImage(file));
  const { portrait, notices } = await open(file, { resolution: 256 });
  assert.ok(
    notices.some((notice) => /half closed, and are opened/.test(notice)),
    notices.join(),
  );
  const { picture } = portrait.reference;
  const side = 256;
  const seen = {
    data: Uint8Array.from({ length: 3 * side * side }, (_, i) =>
      Math.round(127.5 * (1 + picture[(i % 3) * side * side + Math.floor(i / 3)]!)),
    ),
    width: side,
    height: side,
  };
  const after = await apertureOf(seen);
  assert.ok(after > before + 0.03, `${before} to ${after}`);
  const whole = await open('assets/portraits/ada.jpg');
  assert.deepEqual(whole.notices, []);
});
