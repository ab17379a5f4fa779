import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { readRecording } from '../../src/driving/head-pose-file.ts';
import { posesFromRest } from '../../src/driving/relative-pose.ts';
import { InvalidOptionError, MediaError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { deviation } from '../../src/metrics/series.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import { decodeNpy, encodeNpy } from '../../src/motion/npy.ts';
import { HEAD_MOTIONS, locateHeadMotion } from '../../src/pipeline/head-motions.ts';
import { convertMotion, showMotion } from '../../src/pipeline/motion-tools.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { record } from '../helpers/recorded-face.ts';

const TIME_LIMIT = { timeout: 600_000 };
const directory = temporaryDirectory();
const face = path.join(directory, 'face.motion');

test(
  'the head motions of the package are small and move the head alone, one more than the other',
  TIME_LIMIT,
  async () => {
    let before = 0.3;
    for (const name of HEAD_MOTIONS) {
      const file = locateHeadMotion(name);
      assert.ok(statSync(file).size < 5000);
      const recording = await readRecording(file);
      assert.equal(recording.meshes, null);
      const largest = Math.max(...posesFromRest(recording).map(Math.abs));
      assert.ok(largest > 0.5 && largest < 10, `${name}: ${largest}`);
      const poses = posesFromRest(recording);
      const nods = deviation(Array.from({ length: recording.frames }, (_, frame) => poses[6 * frame]!));
      assert.ok(nods > 1.5 * before, `${name} nods by ${nods} degrees, the one before by ${before}`);
      before = nods;
    }
    assert.equal(locateHeadMotion('mine.motion'), 'mine.motion');
  },
);

test('motion is drawn as curves and as a video of landmarks', TIME_LIMIT, async () => {
  const states = Array.from({ length: 20 }, (_, i) => ({ lips: i / 20, pose: [0, i / 2, 0, 0, 0, -40] }));
  await writeMotionFile(face, record(states));
  const picture = path.join(directory, 'curves.png');
  await showMotion(face, { output: picture });
  const { width, height } = await sharp(picture).metadata();
  assert.deepEqual([width, height], [960, 5 * (160 + 28)]);
  const { channels } = await sharp(picture).stats();
  assert.ok(
    channels.every(({ max }) => max > 200),
    'something is drawn',
  );

  const video = path.join(directory, 'landmarks.mp4');
  await showMotion(face, { output: video });
  const { video: info } = await probeMedia(video, { ffmpeg: await locateFfmpeg({ env: process.env }) });
  assert.deepEqual([info?.width, info?.height, info?.frames, info?.fps], [512, 512, 20, 25]);
});

test('head poses are converted both ways', TIME_LIMIT, async () => {
  const data = Float64Array.from({ length: 30 * 6 }, (_, i) => Math.sin(i / 9));
  const [npy, motion, back] = ['a.npy', 'a.motion', 'b.npy'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(npy, encodeNpy({ data, shape: [30, 6] }));
  await convertMotion(npy, motion);
  await convertMotion(motion, back);
  const { data: read, shape } = decodeNpy(readFileSync(back), back);
  assert.deepEqual(shape, [30, 6]);
  for (const [i, value] of data.entries()) assert.ok(Math.abs(read[i]! - value) < 2e-3);
});

test('nothing is replaced, and what cannot be drawn is refused', TIME_LIMIT, async () => {
  await writeMotionFile(face, record([{}, {}]));
  await assert.rejects(convertMotion(face, face), MediaError);
  const output = path.join(directory, 'head.mp4');
  await assert.rejects(showMotion(locateHeadMotion('calm'), { output }), InvalidOptionError);
  await assert.rejects(convertMotion(face, path.join(directory, 'a.json')), InvalidOptionError);
  assert.ok(!existsSync(output));
});
