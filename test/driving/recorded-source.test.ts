import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backAndForth } from '../../src/driving/back-and-forth.ts';
import { composeMotion } from '../../src/driving/compose-motion.ts';
import { decodeHeadPoses, encodeHeadPoses } from '../../src/driving/head-pose-file.ts';
import type { MotionPart } from '../../src/driving/motion-parts.ts';
import { RecordedSource, type RecordedSourceOptions } from '../../src/driving/recorded-source.ts';
import { PLACE_LIMITS, softLimit } from '../../src/driving/relative-pose.ts';
import { Retargeter } from '../../src/driving/retarget.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { type FaceMeasures, measureFace } from '../../src/motion/face-measures.ts';
import { faceParts } from '../../src/motion/face-regions.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import type { FrameMotion, MotionSource } from '../../src/motion/motion-source.ts';
import { decodeNpy, encodeNpy } from '../../src/motion/npy.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { type FaceState, faceIn, record } from '../helpers/recorded-face.ts';

const SCALES = { expressionScale: 1, mouthScale: 1, blinkScale: 1, headPoseScale: 1 };
const PORTRAIT_POSE = [4, -8, 2, 1, -2, -50];
const FINE = { rtol: 0, atol: 1e-3 };

function drive(
  states: readonly FaceState[],
  { portrait = faceIn({}), ...options }: Partial<RecordedSourceOptions> & { portrait?: Float64Array } = {},
) {
  const source = new RecordedSource({
    ...{ recording: record(states), mode: 'relative', fps: 25, mesh: portrait, scales: SCALES },
    ...{ transform: poseToMatrix(PORTRAIT_POSE), ...options },
  });
  const measures = async (frame: number): Promise<FaceMeasures> => {
    const { offsets } = await source.at(frame);
    return measureFace(portrait.map((value, i) => value + offsets[i]!));
  };
  return { source, measures };
}

/** Speech with closures, and a blink in frames 20 to 24. */
const talk: FaceState[] = Array.from({ length: 60 }, (_, i) => ({
  lips: Math.max(0, Math.sin(i / 2)) * 0.9,
  // Landmarks of shut lids still show some of the opening, and not the same in each frame.
  lids: i >= 20 && i < 25 ? 0.2 + 0.01 * (i - 20) : 1,
}));

for (const [who, portrait] of [
  ['of the same proportions', faceIn({})],
  ['with a wide mouth and wide eyes', faceIn({}, [1.25, 1.1])],
  ['with a small mouth and small eyes', faceIn({}, [0.8, 0.9])],
  ['that smiles with open lips', faceIn({ lips: 0.5 })],
  ['with half-shut lids', faceIn({ lids: 0.7 })],
] as const) {
  test(`on a face ${who} lips meet and lids shut where they do in the film`, async () => {
    const { measures } = drive(talk, { portrait });
    const own = measureFace(portrait);
    const size = own.mouthWidth / measureFace(faceIn({})).mouthWidth;
    for (let frame = 0; frame < 60; frame++) {
      const { lips, lids } = await measures(frame);
      const wanted = talk[frame]!.lips! * size;
      assert.ok(Math.abs(lips - wanted) < 0.06, `frame ${frame}: lips ${lips} for ${wanted}`);
      if (frame >= 20 && frame < 25) {
        // What is left is depth: the upper lid lies before the lower one.
        assert.ok(lids[0] < 0.15 * measureFace(faceIn({})).lids[0], `frame ${frame}: ${lids[0]}`);
      } else assert.ok(Math.abs(lids[1] / own.lids[1] - 1) < 0.05, `frame ${frame}: ${lids[1]}`);
    }
  });
}

test('a film of the portrait itself gives its own motion back', async () => {
  const { source } = drive(talk);
  for (const frame of [3, 10, 40]) {
    const { offsets } = await source.at(frame);
    const [state, rest] = [faceIn(talk[frame]!), faceIn({})];
    assertAllClose(
      offsets,
      state.map((value, i) => value - rest[i]!),
      { rtol: 0, atol: 0.06 },
    );
  }
});

test('lips that are pressed together do not make those that only touch come apart', async () => {
  const pressed = talk.map((state, i) => (i % 12 < 2 ? { ...state, lips: -0.15 } : state));
  const { measures } = drive(pressed);
  for (const [frame, { lips }] of pressed.entries()) {
    if (lips === 0) assert.ok((await measures(frame)).lips < 0.05, `frame ${frame}`);
  }
});

test('a film without a blink does not make one of lids that narrow', async () => {
  const { measures } = drive(talk.map((state, i) => ({ ...state, lids: i === 30 ? 0.7 : 1 })));
  const open = measureFace(faceIn({})).lids[0];
  const narrow = (await measures(30)).lids[0] / open;
  assert.ok(narrow > 0.4 && narrow < 0.75, `${narrow}`);
});

/** Landmarks across the middle of the person's right eye, the upper lid first. */
const RIGHT_LIDS = [
  [160, 144],
  [159, 145],
  [158, 153],
] as const;

test('lids that shut nearly alike shut together, and a wink stays one', async () => {
  const film = record(talk);
  const mesh = new Float32Array(MESH_VALUES);
  film.meshes!.read(0, mesh);
  /** The face with the upper lid of its right eye lowered by a share of the opening. */
  const narrowed = (share: number): Float32Array => {
    const out = mesh.slice();
    for (const [upper, lower] of RIGHT_LIDS) {
      for (let axis = 0; axis < 3; axis++) {
        out[3 * upper + axis]! += share * (mesh[3 * lower + axis]! - mesh[3 * upper + axis]!);
      }
    }
    return out;
  };
  const portrait = faceIn({});
  const retargeter = new Retargeter(film.meshes!, film.rest.mesh!, portrait, SCALES);
  const lidsAt = (share: number): readonly [number, number] => {
    const offsets = new Float32Array(MESH_VALUES);
    retargeter.offsets(narrowed(share), offsets);
    return measureFace(portrait.map((value, i) => value + offsets[i]!)).lids;
  };
  const own = measureFace(portrait).lids;
  const slight = lidsAt(0.2);
  assert.ok(Math.abs(slight[0] / own[0] - slight[1] / own[1]) < 0.05, `${slight}`);
  assert.ok(slight[1] < 0.95 * own[1], `${slight}`);
  const wink = lidsAt(0.8);
  assert.ok(wink[0] < 0.2 * own[0] && wink[1] > 0.9 * own[1], `${wink}`);
});

test('scales make the motion weaker', async () => {
  const scales = { expressionScale: 0.5, mouthScale: 0.5, blinkScale: 0, headPoseScale: 0 };
  const { source, measures } = drive(talk, { scales });
  assert.ok(Math.abs((await measures(3)).lips - 0.25 * talk[3]!.lips!) < 0.05);
  assert.ok((await measures(22)).lids[0] > 0.9 * measureFace(faceIn({})).lids[0]);
  assert.deepEqual([...(await source.at(3)).pose], [0, 0, 0, 0, 0, 0]);
});

test('the head moves about the portrait’s own pose, from the usual pose of the film', async () => {
  const states = Array.from({ length: 50 }, (_, i) => ({
    pose: [10, 20 + 5 * Math.sin((2 * Math.PI * i) / 25), 0, 3, 0, -60],
  }));
  const { source } = drive(states);
  const { pose } = await source.at(6);
  // Seen from the film's rest, which is turned up or down by 10°, a turn about the vertical axis is mostly one about y.
  assert.ok(
    Math.abs(pose[1]! - 5 * Math.sin((2 * Math.PI * 6) / 25) * Math.cos(Math.PI / 18)) < 0.2,
    `${pose}`,
  );
  assertAllClose((await source.at(0)).pose, [0, 0, 0, 0, 0, 0], { rtol: 0, atol: 0.01 });
});

test('a head that is moved further than a picture holds is slowed down before the limit', () => {
  for (const limit of PLACE_LIMITS) {
    assert.equal(softLimit(0.5 * limit, limit), 0.5 * limit);
    assert.equal(softLimit(-0.75 * limit, limit), -0.75 * limit);
    assert.ok(softLimit(limit, limit) < limit && softLimit(limit, limit) > 0.9 * limit);
    assert.ok(softLimit(-50 * limit, limit) >= -limit);
  }
});

test('who walks through the picture keeps the nods', async () => {
  const states = Array.from({ length: 500 }, (_, i) => ({
    pose: [0, 0, 0, -20 + i / 12, Math.sin(i / 4), -60],
  }));
  const { source } = drive(states);
  const { pose } = await source.at(250);
  assert.ok(Math.abs(pose[3]!) < 0.2, `${pose[3]}`);
  assert.ok(Math.abs(pose[4]! - Math.sin(250 / 4)) < 0.1);
});

test("absolute driving is AniPortrait's: the film's rotation, translation from its first frame on", async () => {
  const states = Array.from({ length: 20 }, (_, i) => ({
    lips: i === 7 ? 0.5 : 0,
    pose: [2, 10 + i / 2, 1, 5 + i / 10, 1, -60],
  }));
  const { source } = drive(states, { mode: 'absolute' });
  for (const frame of [4, 12]) {
    const { pose } = await source.at(frame);
    const portrait = poseToMatrix(PORTRAIT_POSE);
    // Portrait's transform times the pose is the film's matrix, moved to the portrait's place.
    const own = poseToMatrix(pose);
    const product = Float64Array.from({ length: 16 }, (_, i) =>
      [0, 1, 2, 3].reduce((sum, k) => sum + portrait[(i & 12) + k]! * own[4 * k + (i & 3)]!, 0),
    );
    assertAllClose(
      product,
      poseToMatrix([2, 10 + frame / 2, 1, 1 + frame / 10, -2, -50]),
      FINE,
      `frame ${frame}`,
    );
  }
  const { offsets } = await source.at(7);
  assertAllClose(
    offsets,
    faceIn(states[7]!).map((value, i) => value - faceIn({})[i]!),
    { rtol: 0, atol: 2e-3 },
  );
});

test('a short recording is played back and forth, at any rate', async () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map((i) => backAndForth(i, 4)),
    [0, 1, 2, 3, 2, 1, 0],
  );
  assert.equal(backAndForth(100, 1), 0);
  assert.equal(backAndForth(3.25, 4), 2.75);
  const states = Array.from({ length: 10 }, (_, i) => ({ pose: [0, i, 0, 0, 0, -40] }));
  const { source } = drive(states, { fps: 50 });
  const yaw = async (frame: number): Promise<number> => (await source.at(frame)).pose[1]!;
  assert.ok(Math.abs((await yaw(4)) - (await yaw(2)) - 1) < 0.01, 'frame 4 at 50 a second is frame 2 at 25');
  assert.ok(
    Math.abs((await yaw(20)) - (await yaw(16))) < 0.01,
    'after the last frame comes the one before it',
  );
});

const still: MotionSource = {
  at: async (): Promise<FrameMotion> => ({ offsets: new Float32Array(1404), pose: new Float32Array(6) }),
};
const all: MotionSource = {
  at: async (): Promise<FrameMotion> => ({
    offsets: new Float32Array(1404).fill(1),
    pose: new Float32Array(6).fill(1),
  }),
};

for (const [parts, moved, resting] of [
  [['mouth'], [13, 14, 152, 61], [159, 386, 105, 334]],
  [['eyes'], [159, 386, 145], [13, 14, 152, 105]],
  [['brows'], [105, 334, 52], [13, 14, 152, 159, 386]],
  [
    ['head', 'eyes', 'brows'],
    [159, 105],
    [13, 14, 152],
  ],
] as [MotionPart[], number[], number[]][]) {
  test(`${parts.join(', ')} of one source, the rest of another`, async () => {
    const { offsets, pose } = await composeMotion(all, still, { parts, mesh: faceIn({}) }).at(0);
    for (const vertex of moved) assert.ok(offsets[3 * vertex]! > 0.95, `${vertex}: ${offsets[3 * vertex]}`);
    for (const vertex of resting) assert.ok(offsets[3 * vertex]! < 0.05, `${vertex}: ${offsets[3 * vertex]}`);
    assert.equal(pose[0], parts.includes('head') ? 1 : 0);
  });
}

test('all parts together are one source', async () => {
  const parts: MotionPart[] = ['head', 'eyes', 'brows', 'mouth'];
  const { offsets } = await composeMotion(all, still, { parts, mesh: faceIn({}) }).at(0);
  assertAllClose(offsets, new Float32Array(1404).fill(1), { rtol: 0, atol: 1e-6 });
  const { eyes, brows, mouth } = faceParts(faceIn({}));
  for (const shares of [eyes, brows, mouth]) assert.ok(shares.every((share) => share >= 0 && share <= 1));
});

test("AniPortrait's head poses are read and written back", async () => {
  const data = Float64Array.from({ length: 165 * 6 }, (_, i) => 3 * Math.sin(i / 17) * (i % 6 < 3 ? 1 : 0.2));
  const bytes = encodeNpy({ data, shape: [165, 6] });
  const recording = decodeHeadPoses(bytes, 'pose_temp.npy');
  assert.equal(recording.fps, 30);
  assert.equal(recording.frames, 165);
  assertAllClose(decodeNpy(encodeHeadPoses(recording), 'out.npy').data, data, { rtol: 0, atol: 1e-4 });
  const source = new RecordedSource({
    ...{ recording, mode: 'absolute', fps: 30, mesh: faceIn({}), transform: poseToMatrix(PORTRAIT_POSE) },
    scales: SCALES,
  });
  // Played back and forth with a period of 2n − 2.
  assertAllClose((await source.at(10)).pose, data.subarray(60, 66), { rtol: 0, atol: 1e-4 });
  assertAllClose((await source.at(2 * 165 - 2 - 10)).pose, data.subarray(60, 66), { rtol: 0, atol: 1e-4 });
});

test('a table that holds no head poses is refused', () => {
  assert.throws(
    () => decodeHeadPoses(encodeNpy({ data: new Float64Array(10), shape: [5, 2] }), 'a.npy'),
    /expected head poses, a table of \[frames, 6\], got \[5, 2\]/,
  );
});
