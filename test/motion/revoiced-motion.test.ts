import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFaceMesh } from '../../src/face/face-mesh.ts';
import { MESH_STEP, MeshSequence } from '../../src/motion/mesh-sequence.ts';
import type { MotionSource } from '../../src/motion/motion-source.ts';
import { lowerFaceShares, RevoicedMotion } from '../../src/motion/revoiced-motion.ts';

const rest = loadFaceMesh().vertices;
const CHIN = 152;
const LOWER_LIP = 14;
const FOREHEAD = 10;
const LID = 159;

/** A film of two frames: at rest, and with lids and lower lip moved by a centimetre. */
const meshes = new MeshSequence();
meshes.append(rest);
const moved = rest.slice();
for (const vertex of [LOWER_LIP, LID]) moved[3 * vertex + 1]! -= 1;
meshes.append(moved);

/** A voice that lowers every vertex by half a centimetre and turns the head. */
const speech: MotionSource = {
  at: async () => ({
    offsets: Float32Array.from({ length: 468 * 3 }, (_, i) => (i % 3 === 1 ? -0.5 : 0)),
    pose: new Float32Array(6).fill(3),
  }),
};

function motionOf(strength: number): RevoicedMotion {
  return new RevoicedMotion({ speech, meshes, rest, filmFrame: (frame) => frame, strength: () => strength });
}

function heightAfter(offsets: Float32Array, mesh: ArrayLike<number>, vertex: number): number {
  return mesh[3 * vertex + 1]! + offsets[3 * vertex + 1]!;
}

test('the lower face does what the voice says, whatever it did in the film', async () => {
  const { offsets } = await motionOf(1).at(1);
  for (const vertex of [CHIN, LOWER_LIP]) {
    const expected = rest[3 * vertex + 1]! - 0.5;
    assert(Math.abs(heightAfter(offsets, moved, vertex) - expected) <= MESH_STEP, `vertex ${vertex}`);
  }
});

test('eyes, brows and the head stay as they were filmed', async () => {
  const { offsets, pose } = await motionOf(1).at(1);
  for (const vertex of [FOREHEAD, LID]) {
    const own = offsets.subarray(3 * vertex, 3 * vertex + 3);
    assert(
      own.every((value) => value === 0),
      `vertex ${vertex}`,
    );
  }
  assert.deepEqual(Array.from(pose), [0, 0, 0, 0, 0, 0]);
});

test('the exchange fades with its strength, down to nothing', async () => {
  const [whole, half, none] = await Promise.all([1, 0.5, 0].map((strength) => motionOf(strength).at(1)));
  const chin = 3 * CHIN + 1;
  assert(Math.abs(half!.offsets[chin]! - whole!.offsets[chin]! / 2) < 1e-6);
  assert(none!.offsets.every((value) => value === 0));
});

test('shares rise from the nose down to the lips without a step', () => {
  const shares = lowerFaceShares(rest);
  assert.equal(shares[FOREHEAD], 0);
  assert.equal(shares[CHIN], 1);
  const order = Array.from(shares.keys()).sort((a, b) => rest[3 * b + 1]! - rest[3 * a + 1]!);
  for (let i = 1; i < order.length; i++) assert(shares[order[i]!]! >= shares[order[i - 1]!]!);
});
