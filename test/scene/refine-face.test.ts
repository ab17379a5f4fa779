import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { MOUTH, OpeningControl } from '../../src/motion/close-openings.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';
import { LidShapes } from '../../src/motion/lid-shapes.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { AnimatedPortrait } from '../../src/scene/portrait.ts';
import { refineFace } from '../../src/scene/refine-face.ts';
import { loadOrtNetwork } from '../helpers/ort-network.ts';

const LIMIT = { timeout: 600_000 };
let finder: FaceFinder;
let image: RgbImage;
before(async () => {
  finder = await FaceFinder.open(loadOrtNetwork);
  image = await loadImage('assets/portraits/ada.jpg');
});

async function look(picture: RgbImage) {
  const face = choosePortraitFace(picture, await finder.find(picture), { path: 'face.jpg' });
  return { plain: face, ...(await refineFace(picture, face, finder)) };
}

/** The picture's square with the face moved. */
async function moved(picture: RgbImage, move: (mesh: Float64Array, offsets: Float32Array) => void) {
  const { face } = await look(picture);
  const portrait = await AnimatedPortrait.create({
    image: picture,
    face,
    resolution: 256,
    framing: 'paste-back',
  });
  const offsets = new Float32Array(MESH_VALUES);
  move(face.mesh, offsets);
  return portrait.renderBase({ offsets, pose: new Float32Array(POSE_VALUES) });
}

test(
  'a face with its mouth closed and its eyes open keeps the landmarks of the networks',
  LIMIT,
  async () => {
    const { face, plain, eyesClosed } = await look(image);
    assert.equal(face, plain);
    assert.equal(eyesClosed, false);
  },
);

test('closed eyes are seen', LIMIT, async () => {
  const shut = await moved(image, (mesh, offsets) => new LidShapes(mesh).add([1, 1], offsets));
  const { face, plain, eyesClosed } = await look(shut);
  assert.equal(eyesClosed, true);
  assert.notEqual(face.landmarks, plain.landmarks);
  assert.deepEqual(new LidShapes(face.mesh).opening, [0, 0]);
  const half = await moved(image, (mesh, offsets) => new LidShapes(mesh).add([0.4, 0.4], offsets));
  assert.equal((await look(half)).eyesClosed, false);
});

test('a mouth that is wide open in the picture closes', LIMIT, async () => {
  const open = (gap: number) => (mesh: Float64Array, offsets: Float32Array) => {
    const gaps = MOUTH.columns.map(
      (_, i) => gap * Math.sin((Math.PI * (i + 1)) / (MOUTH.columns.length + 1)),
    );
    new OpeningControl(MOUTH, mesh).set(mesh.slice(), gaps, offsets);
  };
  const shouting = await moved(image, open(2.2));
  const seen = lipOpening((await look(shouting)).face.mesh);
  assert.ok(seen > 1.2, `opened by ${seen} cm`);
  const closed = await moved(shouting, open(0));
  const left = lipOpening((await look(closed)).face.mesh);
  assert.ok(left < 0.35, `still open by ${left} cm`);
});
