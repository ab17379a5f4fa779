import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { PoseVideo, swapped } from '../../src/driving/pose-video.ts';
import { MediaError } from '../../src/errors.ts';
import { projectMesh } from '../../src/face/geometry.ts';
import { drawPoseImage, POSE_IMAGE_SIZE } from '../../src/face/pose-image.ts';
import { poseToMatrix } from '../../src/face/rotation.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { MESH_VALUES, POSE_VALUES } from '../../src/motion/motion.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import { convertMotion } from '../../src/pipeline/motion-tools.ts';
import { makeMedia, psnr, temporaryDirectory } from '../helpers/media.ts';
import { record } from '../helpers/recorded-face.ts';

const TIME_LIMIT = { timeout: 120_000 };
const directory = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });
/** What the encoder leaves of thin coloured lines, in dB; with two channels exchanged they have 29. */
const DRAWN = 33;

test('drawings come back from a landmark video as they were drawn, back and forth', TIME_LIMIT, async () => {
  const states = Array.from({ length: 7 }, (_, i) => ({ lips: i / 6, pose: [0, 2 * i, 0, 0, 0, -40] }));
  const recording = record(states);
  const motion = path.join(directory, 'face.motion');
  const landmarks = path.join(directory, 'landmarks.mp4');
  await writeMotionFile(motion, recording);
  await convertMotion(motion, landmarks);
  const video = await PoseVideo.open(landmarks, { ffmpeg });
  try {
    assert.deepEqual([video.frames, video.fps, video.hasSound], [7, recording.fps, false]);
    const size = { width: POSE_IMAGE_SIZE, height: POSE_IMAGE_SIZE };
    const mesh = new Float32Array(MESH_VALUES);
    const drawn = (frame: number) => {
      recording.meshes!.read(frame, mesh);
      const pose = recording.poses.subarray(frame * POSE_VALUES, (frame + 1) * POSE_VALUES);
      return drawPoseImage(projectMesh(mesh, poseToMatrix(pose), size.width, size.height), size);
    };
    for (const [frame, shown] of [
      [0, 0],
      [4, 4],
      [6, 6],
      [8, 4],
    ] as const) {
      const { data, width, height } = await video.at(frame);
      assert.deepEqual({ width, height }, size);
      const expected = drawn(shown);
      const likeness = psnr(data, expected.data);
      assert.ok(likeness > DRAWN, `frame ${frame}: ${likeness} dB`);
      assert.ok(psnr(data, swapped(expected).data) < DRAWN - 2, 'channels are in the order of the drawing');
      assert.ok(psnr(data, drawn((shown + 3) % 7).data) < likeness, 'it is that frame');
    }
  } finally {
    await video.dispose();
  }
});

for (const [what, name, source, message] of [
  ['a film', 'film.mp4', 'testsrc=s=64x64:r=10:d=1', /something else; a film of a person is a driving film/],
  ['a black one', 'black.mp4', 'color=black:s=64x64:r=10:d=1', /a picture that is black at 0\.00 s/],
  ['one picture', 'still.mp4', 'color=black:s=64x64:r=10:d=0.1', /got a single picture/],
] as const) {
  test(`a video of landmarks that is ${what} is refused`, TIME_LIMIT, async () => {
    const film = makeMedia(ffmpeg, path.join(directory, name), ...['-f', 'lavfi', '-i', source]);
    await assert.rejects(PoseVideo.open(film, { ffmpeg }), (error: unknown) => {
      assert.ok(error instanceof MediaError);
      assert.match(error.message, message);
      return true;
    });
  });
}
