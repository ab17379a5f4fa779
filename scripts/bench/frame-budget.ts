/**
 * Processor milliseconds that a frame of a still takes, by step and by size of the picture, and in the networks; both cores
 * count, and waiting does not. Needs Linux, which tells what child processes have computed.
 *
 *   node --import=tsx scripts/bench/frame-budget.ts [--frames 25] [--runs 5] [--output scripts/results/frame-budget.md]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { Yuv420Packer } from '../../src/media/pack-frame.ts';
import { VideoWriter } from '../../src/media/video-writer.ts';
import type { FrameMotion } from '../../src/motion/motion-source.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { FrameComposer } from '../../src/scene/compose-frame.ts';
import { pictureOfSize } from '../../src/scene/picture-of-size.ts';
import { AnimatedPortrait } from '../../src/scene/portrait.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { measureNetworks } from '../lib/network-budget.ts';
import { writeReport } from '../lib/write-report.ts';

const RESOLUTION = 256;
const FPS = 25;
const SIZES = [
  [512, 512],
  [1080, 1350],
  [1920, 1920],
] as const;
const PORTRAIT = fileURLToPath(new URL('../../assets/portraits/ada.jpg', import.meta.url));
/** Clock ticks of the system in a second. */
const TICKS = 100;

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '25' },
    runs: { type: 'string', default: '5' },
    output: { type: 'string' },
  },
});
const frames = Number(values.frames);
const networkRuns = Number(values.runs);
const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-budget-'));
const engine = await Engine.open({ device: 'cpu', threads: 1 });
try {
  const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
  const original = await loadImage(PORTRAIT);
  const rows: string[][] = [];
  for (const [width, height] of SIZES) {
    rows.push([`${width} × ${height}`, ...(await measure(coverSize(original, width, height), finder))]);
  }
  const shown = [26 / 32, 27 / 32] as const;
  const cores = os.availableParallelism();
  const alone = await measureNetworks(1, networkRuns, shown);
  const together = await measureNetworks(cores, networkRuns, shown);
  const steps = ['conditions', 'warp', 'mask and composing', 'conversion', 'encoder', 'sum'];
  await writeReport(values.output, [
    '# What a frame takes',
    '',
    `Processor milliseconds a frame, mean of ${frames} frames of the sample portrait with a moving head, in ${os.cpus()[0]?.model}. Conditions: pose drawing and warp as the networks see them; conversion: of the square that moves, to the encoder's planes.`,
    '',
    markdownTable(['picture', ...steps], rows),
    '',
    '## In the networks',
    '',
    `The embedded bundle’s, preset fast, in float32, medians of ${networkRuns} runs. Of the sample portrait’s square, 26 of 32 cells across and 27 down are decoded.`,
    '',
    markdownTable(
      ['network', '1 thread', `${cores} threads`],
      alone.map(({ name, milliseconds }, i) => [
        name,
        milliseconds.toFixed(1),
        together[i]!.milliseconds.toFixed(1),
      ]),
    ),
  ]);
} finally {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
}

function coverSize(image: RgbImage, width: number, height: number): RgbImage {
  if (image.width === width && image.height === height) return image;
  const scale = Math.max(width / image.width, height / image.height);
  const [across, down] = [Math.round(image.width * scale), Math.round(image.height * scale)];
  return pictureOfSize(resizeImage(image, across, down, 'area'), width, height);
}

async function measure(image: RgbImage, finder: FaceFinder): Promise<string[]> {
  const { width, height } = image;
  const face = choosePortraitFace(image, await finder.find(image), { path: PORTRAIT });
  const portrait = await AnimatedPortrait.create({
    image,
    face,
    resolution: RESOLUTION,
    framing: 'paste-back',
  });
  const { square, displaySize } = portrait;
  const composer = new FrameComposer({ resolution: RESOLUTION, displaySize, width, height });
  const difference = new Float32Array(3 * RESOLUTION ** 2).fill(0.02);
  const motions = Array.from({ length: frames }, (_, frame) => motionAt(frame / FPS));
  const around = { picture: image, square };
  const changed = { left: square.x, top: square.y, width: square.side, height: square.side };

  // What is made once for a clip is made before.
  portrait.conditions(motions[0]!);
  const packer = new Yuv420Packer(width, height);
  packer.pack({ ...composer.untouched(image), changed });

  const conditions = computing(() => motions.forEach((motion) => void portrait.conditions(motion)));
  const bases: RgbImage[] = [];
  const warp = computing(() => motions.forEach((motion) => void bases.push(portrait.renderBase(motion))));
  const pictures: RgbImage[] = [];
  const compose = computing(() => {
    for (const [i, motion] of motions.entries()) {
      pictures.push(composer.compose(bases[i]!, difference, portrait.maskOf(motion), around));
    }
  });
  const convert = computing(() => pictures.forEach((picture) => void packer.pack({ ...picture, changed })));

  const ffmpeg = await locateFfmpeg({ env: process.env });
  const outputPath = path.join(folder, `${width}.mp4`);
  const before = childrenTime();
  const writer = await VideoWriter.open({ ffmpeg, outputPath, width, height, fps: FPS, frames });
  try {
    for (const picture of pictures) await writer.write({ ...picture, changed });
    await writer.finish();
  } finally {
    await writer.dispose();
  }
  const encode = childrenTime() - before;
  const steps = [conditions, warp, compose, convert, encode].map((time) => time / frames);
  return [...steps, steps.reduce((sum, step) => sum + step, 0)].map((step) => step.toFixed(1));
}

/** Nods and turns, and lips that open and close. */
function motionAt(seconds: number): FrameMotion {
  const pose = Float32Array.from([0.04 * Math.sin(6 * seconds), 0.06 * Math.sin(4 * seconds), 0.03, 0, 0, 0]);
  const offsets = new Float32Array(468 * 3);
  offsets[3 * 14 + 1] = -0.4 * Math.abs(Math.sin(9 * seconds));
  return { offsets, pose } as FrameMotion;
}

/** Milliseconds that this process has computed while `work` ran. */
function computing(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Milliseconds that children which have ended have computed. */
function childrenTime(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ');
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS;
}
