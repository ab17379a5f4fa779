/** Films and motion files that are not what they should be: a row for each, as a clip takes them before anything is rendered. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import sharp from 'sharp';
import {
  FaceError,
  FaceLostError,
  InvalidOptionError,
  InvalidOptionsError,
  MediaError,
  MotionFileError,
} from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { writeMotionFile } from '../../src/motion/motion-file.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { drawFace } from '../helpers/drawn-face.ts';
import { onCanvas, writeFilm } from '../helpers/drawn-film.ts';
import { makeMedia, temporaryDirectory } from '../helpers/media.ts';
import { record } from '../helpers/recorded-face.ts';

const TIME_LIMIT = { timeout: 600_000 };
const ADA = 'assets/portraits/ada.jpg';
const SPEECH = 'assets/speech/short.wav';
const folder = temporaryDirectory();
const at = (name: string): string => path.join(folder, name);
const ffmpeg = await locateFfmpeg({ env: process.env });
const face = await drawFace(160);
const blank = onCanvas(240, 200, []);
const shown = (x: number) => onCanvas(240, 200, [{ image: face, x, y: 20 }]);
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '16', '-pix_fmt', 'yuv420p'];
/** The face on its way to the right, six pictures a second. */
const walk = Array.from({ length: 6 }, (_, i) => shown(30 + i));
const film = await writeFilm(ffmpeg, at('face.mp4'), walk, 6, x264);
await writeFilm(ffmpeg, at('empty.mp4'), [blank, blank, blank, blank], 4, x264);
await writeFilm(ffmpeg, at('away.mp4'), [...walk, ...Array(18).fill(blank), ...walk], 6, x264);
await writeFilm(ffmpeg, at('face.gif'), walk, 6);
const slow = Array.from({ length: 24 }, (_, i) => shown(30 + i / 8));
await writeFilm(ffmpeg, at('fast.mp4'), slow, 240, x264);
makeMedia(ffmpeg, at('large.mp4'), '-i', film, '-t', '0.5', '-vf', 'scale=7680:4320', ...x264);
makeMedia(ffmpeg, at('sound.mp4'), '-i', film, '-i', SPEECH, '-map', '0:v', '-map', '1:a', ...x264);
writeFileSync(at('text.mp4'), 'no film');
const pages = walk.map(({ data, width, height }) =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer(),
);
await sharp(await Promise.all(pages), { join: { animated: true } })
  .webp({ delay: walk.map(() => 160) })
  .toFile(at('face.webp'));

const states = Array.from({ length: 12 }, (_, i) => ({ lips: (i % 4) / 4 }));
await writeMotionFile(at('face.motion'), record(states, 12));
const motion = readFileSync(at('face.motion'));
writeFileSync(at('cut.motion'), motion.subarray(0, motion.length >> 1));
const newer = Buffer.from(motion);
newer.writeUInt32LE(2, 8);
writeFileSync(at('newer.motion'), newer);
const whole = record(states, 12);
await writeMotionFile(at('head.motion'), { ...whole, meshes: null, rest: { ...whole.rest, mesh: null } });

const studio = await Studio.open({ device: 'cpu' });
after(() => studio.dispose());

/** Opens a clip; what was noticed, and its frames and rate. */
async function open(options: Partial<AnimateOptions>) {
  const notices: string[] = [];
  let tracked = 0;
  const { job, portrait } = await studio.openJob({
    ...(options.source === undefined && { portrait: ADA }),
    output: at('out.mp4'),
    onProgress: (event) => {
      if (event.type === 'notice') notices.push(event.message);
      if (event.type === 'tracking') tracked++;
    },
    ...options,
  } as AnimateOptions);
  await portrait.dispose();
  return { notices: notices.join('\n'), frames: job.frames, fps: job.fps, tracked };
}

type Refusal = readonly [
  title: string,
  options: Partial<AnimateOptions>,
  kind: new (...args: never[]) => Error,
  says: RegExp,
];

const REFUSALS: readonly Refusal[] = [
  [
    'a driver without video',
    { driving: SPEECH },
    MediaError,
    /short\.wav.*got a file without a video stream/,
  ],
  ['a driver that is no media file', { driving: at('text.mp4') }, MediaError, /text\.mp4: expected pictures/],
  [
    'a picture as a driver',
    { driving: ADA },
    MediaError,
    /ada\.jpg: expected pictures that ffmpeg can decode, got a still picture$/,
  ],
  [
    'a driver that is a moving WebP',
    { driving: at('face.webp') },
    MediaError,
    /turn it into a GIF or an MP4/,
  ],
  ['a driver without a face', { driving: at('empty.mp4') }, FaceError, /found none in 4 frames\. Use a film/],
  [
    'a driver without a second face',
    { driving: film, drivingFace: 2 },
    InvalidOptionError,
    /face 2 .*expected so many faces.*found 1/,
  ],
  [
    'a person who is away for three seconds',
    { driving: at('away.mp4') },
    FaceLostError,
    /got none at 1\.00–4\.00 s\..*drivingGaps: hold/,
  ],
  ['motion that is cut in the middle', { motion: at('cut.motion') }, MotionFileError, /whose end is missing/],
  ['motion of a newer version', { motion: at('newer.motion') }, MotionFileError, /use a newer program/],
  [
    'motion of the head where the mouth is asked for',
    { motion: at('head.motion'), drivingParts: 'mouth' },
    InvalidOptionError,
    /head alone/,
  ],
  ['a driver and a source', { source: film, audio: SPEECH, driving: film }, InvalidOptionsError, /driving/],
  ['a driver and motion', { driving: film, motion: at('face.motion') }, InvalidOptionsError, /motion/],
  [
    'a source that is cropped',
    { source: film, audio: SPEECH, framing: 'crop' },
    InvalidOptionsError,
    /framing/,
  ],
  ['a source without a face', { source: at('empty.mp4'), audio: SPEECH }, FaceError, /expected a face/],
];

for (const [title, options, kind, says] of REFUSALS) {
  test(`${title} is refused`, TIME_LIMIT, async () => {
    await assert.rejects(open(options), (error: Error) => {
      assert.ok(error instanceof kind, `${error.name}: ${error.message}`);
      assert.match(error.message, says);
      return true;
    });
  });
}

const SILENT = /has no sound: the clip will be silent, unless a recording is given, too/;
type Taken = readonly [title: string, options: Partial<AnimateOptions>, says: RegExp, seconds: number];

const TAKEN: readonly Taken[] = [
  ['a driver without sound', { driving: film }, SILENT, 1],
  [
    'a person who is away and held still',
    { driving: at('away.mp4'), drivingGaps: 'hold' },
    /held still at 1\.00–4\.00 s/,
    5,
  ],
  ['a driver that is shorter than its sound', { driving: at('sound.mp4') }, /played back and forth/, 1.36],
  ['a driver that is a GIF', { driving: at('face.gif') }, SILENT, 1],
  ['a driver of 240 frames a second', { driving: at('fast.mp4') }, SILENT, 0.1],
  ['a driver of 8K', { driving: at('large.mp4') }, SILENT, 0.5],
  ['a source that is shorter than its sound', { source: film, audio: SPEECH }, /shown back and forth/, 1.36],
];

for (const [title, options, says, seconds] of TAKEN) {
  test(`${title} is taken, and a note says so`, TIME_LIMIT, async () => {
    const { notices, frames, fps, tracked } = await open(options);
    assert.match(notices, says);
    assert.ok(Math.abs(frames / fps - seconds) < 0.12, `${frames} frames at ${fps}`);
    assert.ok(tracked > 0, 'no progress was reported');
  });
}
