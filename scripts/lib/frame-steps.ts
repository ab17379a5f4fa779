/** Processor milliseconds that the steps of a frame take which are no network's, warm, by the size of the picture. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { FaceFinder } from '../../src/face/face-finder.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { drawPoseImage, resizePoseImage } from '../../src/face/pose-image.ts';
import { type SeenPicture, writeSeen } from '../../src/image/planar.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import type { FfmpegInfo } from '../../src/media/ffmpeg-path.ts';
import { Yuv420Packer } from '../../src/media/pack-frame.ts';
import { VideoWriter } from '../../src/media/video-writer.ts';
import type { FrameMotion } from '../../src/motion/motion-source.ts';
import { FrameComposer } from '../../src/scene/compose-frame.ts';
import { pictureOfSize } from '../../src/scene/picture-of-size.ts';
import { AnimatedPortrait } from '../../src/scene/portrait.ts';
import { childrenTime, computedIn, ownTime } from './processor-time.ts';

const RESOLUTION = 256;
const PIXELS = RESOLUTION ** 2;
const FPS = 25;
/** Bytes of a page, all of which are new to who touches fresh memory. */
const PAGE = 4096;

/** Names of the steps, in the order of a frame's way. */
export const FRAME_STEPS = [
  'pose drawing',
  'warp for the networks',
  'planes for the networks',
  'warp for the viewer',
  'teeth, mask, composing',
  'conversion',
  'hand-over',
  'encoder',
] as const;

/** Milliseconds of processor a frame. */
export type FrameSteps = Readonly<Record<(typeof FRAME_STEPS)[number], number>>;

/** Options of {@link measureFrameSteps}. */
interface FrameStepsOptions {
  readonly image: RgbImage;
  readonly finder: FaceFinder;
  readonly ffmpeg: FfmpegInfo;
  /** An empty folder. */
  readonly folder: string;
  /** Frames that are measured; half as many are made before, so that what they run is compiled. */
  readonly frames: number;
}

/** Measures all steps on a picture with a face that nods, turns, looks about and speaks. */
export async function measureFrameSteps({
  image,
  finder,
  ffmpeg,
  folder,
  frames,
}: FrameStepsOptions): Promise<FrameSteps> {
  const { width, height } = image;
  const face = choosePortraitFace(image, await finder.find(image), { path: 'the sample' });
  const portrait = await AnimatedPortrait.create({
    image,
    face,
    resolution: RESOLUTION,
    framing: 'paste-back',
  });
  const { square, displaySize } = portrait;
  const composer = new FrameComposer({ resolution: RESOLUTION, displaySize, width, height });
  const changed = { left: square.x, top: square.y, width: square.side, height: square.side };
  const packer = new Yuv420Packer(width, height);
  packer.pack({ ...pictureOfSize(image, width, height), changed });

  const times = { draw: 0, base: 0, conditions: 0, planes: 0, warp: 0, compose: 0, convert: 0 };
  const timed = <T>(step: keyof typeof times, work: () => T): T => {
    const before = ownTime();
    const result = work();
    times[step] += ownTime() - before;
    return result;
  };
  const planes = new Float32Array(7 * PIXELS);
  let memory: Uint8Array | undefined;
  const make = (frame: number): RgbImage => {
    const motion = motionAt(frame / FPS);
    const { conditions } = timed('conditions', () => portrait.conditions(motion));
    timed('planes', () => writeSeen(conditions as SeenPicture[], planes, 0));
    timed('base', () => portrait.base(motion));
    const { landmarks } = portrait.drivenFace(motion);
    timed('draw', () => {
      const drawing = drawPoseImage(landmarks, { width, height });
      return resizePoseImage(drawing, RESOLUTION, RESOLUTION);
    });
    const base = timed('warp', () => portrait.drawBase(motion));
    const difference = new Float32Array(3 * PIXELS).fill(0.02);
    const picture = timed('compose', () => {
      portrait.keepTeeth(motion, difference);
      const around = { picture: image, square, memory, rests: true };
      return composer.compose(base, difference, portrait.maskOf(motion), around);
    });
    // As in a clip: it has been written when the next one is made.
    memory = picture.data;
    timed('convert', () => packer.pack({ ...picture, changed }));
    return picture;
  };
  for (let frame = 0; frame < Math.ceil(frames / 2); frame++) make(frame);
  for (const step of Object.keys(times) as (keyof typeof times)[]) times[step] = 0;

  const before = childrenTime();
  const outputPath = path.join(folder, `${width}.mp4`);
  const writer = await VideoWriter.open({ ffmpeg, outputPath, width, height, fps: FPS, frames });
  try {
    for (let frame = 0; frame < frames; frame++) await writer.write({ ...make(frame), changed });
    await writer.finish();
  } finally {
    await writer.dispose();
  }
  const encoder = childrenTime() - before;
  const handOver = await measureHandOver(frames);
  const each = (time: number): number => time / frames;
  return {
    'pose drawing': each(times.draw),
    // Conditions are the drawing and the warp.
    'warp for the networks': each(times.conditions - times.draw),
    'planes for the networks': each(times.planes),
    'warp for the viewer': each(times.warp),
    'teeth, mask, composing': each(times.compose),
    conversion: each(times.convert),
    'hand-over': each(handOver),
    encoder: each(encoder),
  };
}

/** Fresh memory that moves from thread to thread for a frame, in bytes: three pictures there, the decoded difference back. */
const HANDED_OVER = {
  there: [3 * PIXELS, 3 * PIXELS, PIXELS],
  back: 3 * PIXELS * Float32Array.BYTES_PER_ELEMENT,
};

const ANSWER = `
  const { parentPort, workerData } = require('node:worker_threads');
  parentPort.on('message', () => {
    const arrays = workerData.sizes.map((size) => new Uint8Array(size));
    for (const array of arrays) for (let i = 0; i < array.length; i += ${PAGE}) array[i] = 1;
    parentPort.postMessage(arrays, arrays.map(({ buffer }) => buffer));
  });
`;

/** That memory, and the messages; what is written into it counts elsewhere, and a picture's memory is used again. */
async function measureHandOver(frames: number): Promise<number> {
  const { there, back } = HANDED_OVER;
  const worker = new Worker(ANSWER, { eval: true, workerData: { sizes: there } });
  const exchange = async (): Promise<void> => {
    const decoded = new Uint8Array(back);
    for (let i = 0; i < back; i += PAGE) decoded[i] = 1;
    const answered = new Promise((resolve) => worker.once('message', resolve));
    worker.postMessage(decoded, [decoded.buffer]);
    await answered;
  };
  try {
    for (let frame = 0; frame < Math.ceil(frames / 2); frame++) await exchange();
    return await computedIn(async () => {
      for (let frame = 0; frame < frames; frame++) await exchange();
    });
  } finally {
    await worker.terminate();
  }
}

function motionAt(seconds: number): FrameMotion {
  const pose = Float32Array.from([0.04 * Math.sin(6 * seconds), 0.06 * Math.sin(4 * seconds), 0.03, 0, 0, 0]);
  const offsets = new Float32Array(468 * 3);
  offsets[3 * 14 + 1] = -0.4 * Math.abs(Math.sin(9 * seconds));
  return { offsets, pose, gaze: [3 * Math.sin(2 * seconds), 2 * Math.cos(3 * seconds)] };
}
