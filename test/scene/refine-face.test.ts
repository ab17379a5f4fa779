import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { choosePortraitFace, portraitFaceOf } from '../../src/face/portrait-face.ts';
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

test('skin that the mesh sets over a lip that shouts is put below it, whichever way the head is tilted', async () => {
  const mesh = loadFaceMesh().vertices.slice();
  // The lower lip 3 cm further down, past the skin below it.
  for (const lip of [14, 15, 16, 17]) mesh[3 * lip + 1]! -= 3;
  for (const roll of [0, 25, -160]) {
    const [cos, sin] = [Math.cos((roll * Math.PI) / 180), Math.sin((roll * Math.PI) / 180)];
    const down = (points: ArrayLike<number>, vertex: number): number =>
      cos * points[3 * vertex + 1]! - sin * points[3 * vertex]!;
    const points = new Float64Array(mesh.length);
    for (let i = 0; i < mesh.length; i += 3) {
      const [x, y] = [20 * mesh[i]!, -20 * mesh[i + 1]!];
      points.set([300 + x * cos - y * sin, 300 + x * sin + y * cos, -20 * mesh[i + 2]!], i);
    }
    assert.ok(down(points, 18) < down(points, 17));
    const shouting = { ...portraitFaceOf(points, 600, 600), number: 1, faces: [] };
    const { face } = await refineFace({ width: 600, height: 600, data: new Uint8Array(0) }, shouting, {
      preciseLandmarksInRegion: async () => ({ points, presence: 1 }),
    });
    const chin = [17, 18, 200, 199, 175, 152].map((vertex) => down(face.landmarks, vertex));
    for (let i = 1; i < chin.length; i++) assert.ok(chin[i]! > chin[i - 1]! + 2, `${roll}°: ${chin}`);
    for (const vertex of [13, 14, 17, 61, 10, 33]) {
      for (const axis of [0, 1, 2]) {
        assert.equal(face.landmarks[3 * vertex + axis], points[3 * vertex + axis]);
      }
    }
  }
});
