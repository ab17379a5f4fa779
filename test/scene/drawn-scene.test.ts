import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { DrawnFace, drawnStill } from '../../src/scene/drawn-scene.ts';

const IMAGE = { width: 640, height: 512, data: new Uint8Array(640 * 512 * 3).fill(90) };
const FACE = {
  mesh: loadFaceMesh().vertices,
  transform: poseToMatrix(Float32Array.of(0, 0, 0, 3, -2, -60)),
};
const STILL = { offsets: new Float32Array(MESH_VALUES), pose: new Float32Array(POSE_VALUES) };
const VIEW = { image: IMAGE, face: FACE, pixelDivisor: 255, imageSize: null } as const;

/** The columns and rows that a drawing's lines are in, first and last. */
function extentOf(drawing: Float32Array, { width, height }: { width: number; height: number }) {
  const box = { left: width, right: -1, top: height, bottom: -1 };
  for (let i = 0; i < width * height; i++) {
    const black = [0, 1, 2].every((channel) => drawing[channel * width * height + i] === -1);
    if (black) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return { width: box.right - box.left + 1, height: box.bottom - box.top + 1 };
}

test('in a taller or wider view, the face keeps its shape and fills the shorter side as it fills a square', () => {
  const square = { width: 256, height: 256 };
  const plain = extentOf(new DrawnFace({ ...VIEW, framing: 'crop', size: square }).draw(STILL), square);
  for (const size of [
    { width: 256, height: 384 },
    { width: 448, height: 256 },
  ]) {
    const face = new DrawnFace({ ...VIEW, framing: 'crop', size });
    const { frame } = face.framed;
    assert.ok(Math.abs(frame.width / frame.height - size.width / size.height) < 0.01, JSON.stringify(frame));
    const drawn = extentOf(face.draw(STILL), size);
    // Lines are two pixels of 512 wide before they are made smaller.
    const factor =
      (face.framed.square.side * Math.min(size.width, size.height)) /
      (Math.min(frame.width, frame.height) * 256);
    assert.ok(Math.abs(drawn.width - factor * plain.width) <= 3, `${drawn.width} of ${plain.width}`);
    assert.ok(Math.abs(drawn.height - factor * plain.height) <= 3, `${drawn.height} of ${plain.height}`);
    assert.equal(face.reference().picture.length, 3 * size.width * size.height);
  }
});

test('a clip shows the view alone, or in its place in the photo', async () => {
  const size = { width: 256, height: 384 };
  const motion = { at: async () => STILL };
  const decoded = (): Float32Array => new Float32Array(3 * size.width * size.height).fill(1);
  const alone = drawnStill({ ...VIEW, framing: 'crop', size }).withMotion(motion);
  assert.deepEqual([alone.width, alone.height], [256, 384]);
  assert.ok((await alone.compose(0, decoded())).data.every((level) => level === 255));

  const { frame } = new DrawnFace({ ...VIEW, framing: 'paste-back', size }).framed;
  const pasted = drawnStill({ ...VIEW, framing: 'paste-back', size }).withMotion(motion);
  const picture = await pasted.compose(0, decoded());
  assert.deepEqual([picture.width, picture.height], [640, 512]);
  assert.deepEqual(picture.changed, {
    left: frame.x,
    top: frame.y,
    width: frame.width,
    height: frame.height,
  });
  const levelAt = (x: number, y: number): number => picture.data[3 * (640 * Math.round(y) + Math.round(x))]!;
  assert.equal(levelAt(frame.x + frame.width / 2, frame.y + frame.height / 2), 255);
  assert.equal(levelAt(frame.x - 2, frame.y + frame.height / 2), 90);
  assert.equal(levelAt(frame.x + frame.width + 2, frame.y + frame.height / 2), 90);
});
