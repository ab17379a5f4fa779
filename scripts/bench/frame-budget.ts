/**
 * Processor milliseconds that a frame of a still takes, by step and by size of the picture; both cores count, and waiting does not. The steps are
 * measured one by one, warm, and their sum is compared with what a frame of a whole clip takes: the rest is a row of the table. Needs
 * Linux, which tells what child processes have computed.
 *
 *   node --import=tsx scripts/bench/frame-budget.ts [--frames 100] [--runs 9] [--windows 6] [--presets fast,faster]
 *     [--sizes 512x512,1080x1350,1920x1920] [--output scripts/results/frame-budget.md]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import { resizeImage } from '../../src/image/resize.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { openBundle } from '../../src/models/bundle.ts';
import type { PresetName } from '../../src/models/bundle-terms.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { pictureOfSize } from '../../src/scene/picture-of-size.ts';
import { measureClip } from '../lib/clip-budget.ts';
import { FRAME_STEPS, type FrameSteps, measureFrameSteps } from '../lib/frame-steps.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { measureNetworks } from '../lib/network-budget.ts';
import { writeReport } from '../lib/write-report.ts';

const ASSETS = fileURLToPath(new URL('../../assets/', import.meta.url));
/** Share of the sample portrait's square that is decoded, in cells. */
const SHOWN = [26 / 32, 27 / 32] as const;

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '100' },
    runs: { type: 'string', default: '9' },
    windows: { type: 'string', default: '6' },
    presets: { type: 'string', default: 'fast,faster' },
    sizes: { type: 'string', default: '512x512,1080x1350,1920x1920' },
    output: { type: 'string' },
  },
});
const [frames, runs, windows] = [values.frames, values.runs, values.windows].map(Number) as [
  number,
  number,
  number,
];
const sizes = values.sizes.split(',').map((size) => size.split('x').map(Number) as [number, number]);
const { presets } = (await openBundle('tiny')).description;
const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-budget-'));
try {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const original = await loadImage(path.join(ASSETS, 'portraits', 'ada.jpg'));
  const pictures = sizes.map(([width, height]) => coverSize(original, width, height));
  const steps: FrameSteps[] = [];
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  try {
    const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
    for (const image of pictures) {
      steps.push(await measureFrameSteps({ image, finder, ffmpeg, folder, frames }));
      console.error(`steps of ${nameOf(image)}`);
    }
  } finally {
    await engine.dispose();
  }
  const networks = await measureNetworks(1, runs, SHOWN);
  console.error('networks');
  const network = (name: string): number => networks.find((one) => one.name === name)!.milliseconds;

  const tables: string[] = [];
  for (const preset of values.presets.split(',') as PresetName[]) {
    const { steps: samplerSteps, denoiseEvery: every = 1 } = presets[preset]!;
    const columns: (readonly number[])[] = [];
    for (const [i, image] of pictures.entries()) {
      const portrait = path.join(folder, `${nameOf(image)}.png`);
      await saveImage(portrait, image);
      const speech = path.join(ASSETS, 'speech', 'welcome.wav');
      const whole = await measureClip({ ffmpeg, folder, portrait, speech, preset, every, windows });
      console.error(`${preset}, ${nameOf(image)}: ${whole.frame.toFixed(1)} ms`);
      // Of a frame that is blended between others, the networks see nothing, and nothing is decoded.
      const once = {
        ...steps[i]!,
        'pose drawing': steps[i]!['pose drawing'] / every,
        'warp for the networks': steps[i]!['warp for the networks'] / every,
        'planes for the networks': steps[i]!['planes for the networks'] / every,
      };
      const ofNetworks = [
        network('pose guider') / every,
        (samplerSteps * network('denoiser, one step')) / every,
        network('decoder, what is shown') / every,
      ];
      const beside = FRAME_STEPS.map((step) => once[step]);
      const sum = total(beside) + total(ofNetworks);
      columns.push([
        ...ofNetworks,
        ...beside,
        total(beside),
        sum,
        whole.frame - sum,
        whole.frame,
        whole.main,
      ]);
    }
    const rows = [
      'pose guider',
      `denoiser, ${samplerSteps} steps${every > 1 ? `, every ${every}nd frame` : ''}`,
      'decoder, what is shown',
      ...FRAME_STEPS,
      '*beside the networks*',
      '*sum of the steps*',
      'not explained',
      '**a frame of a whole clip**',
      'of that, in the main thread',
    ];
    tables.push(
      `## Preset ${preset}`,
      '',
      markdownTable(
        ['', ...pictures.map(nameOf)],
        rows.map((row, r) => [row, ...columns.map((column) => column[r]!.toFixed(1))]),
      ),
      '',
    );
  }

  const cores = os.availableParallelism();
  const together = await measureNetworks(cores, runs, SHOWN);
  await writeReport(values.output, [
    '# What a frame takes',
    '',
    `Processor milliseconds a frame on ${os.cpus()[0]?.model}, all threads and the encoder’s process counted. Steps: means of ${frames} frames of the sample portrait with a moving head, after ${Math.ceil(frames / 2)} others; networks: medians of ${runs} runs with one thread. A frame of a whole clip: what a clip with ${windows} more windows takes more than one with two, in a process that has made a clip before; starting and what is done once a clip are not in it. Hand-over: fresh memory for what moves between threads, and the messages.`,
    '',
    ...tables,
    '## The networks',
    '',
    `The embedded bundle’s in float32. Of the sample portrait’s square, 26 of 32 cells across and 27 down are decoded.`,
    '',
    markdownTable(
      ['network', '1 thread', `${cores} threads`],
      networks.map(({ name, milliseconds }, i) => [
        name,
        milliseconds.toFixed(1),
        together[i]!.milliseconds.toFixed(1),
      ]),
    ),
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function nameOf({ width, height }: RgbImage): string {
  return `${width} × ${height}`;
}

function coverSize(image: RgbImage, width: number, height: number): RgbImage {
  if (image.width === width && image.height === height) return image;
  const scale = Math.max(width / image.width, height / image.height);
  const [across, down] = [Math.round(image.width * scale), Math.round(image.height * scale)];
  return pictureOfSize(resizeImage(image, across, down, 'area'), width, height);
}
