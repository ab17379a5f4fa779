/**
 * What 8-bit integers gain and cost: one clip rendered in float32 and in int8 in turn, with times and pictures next to each
 * other.
 *
 *   node --import=tsx scripts/bench/measure-int8.ts [--portrait FILE] [--audio FILE] [--repeats 3] [--output FILE.md] [--sheet FILE.png]
 *
 * Pictures are the square around the face. The sheet shows float32, int8 and eight times their difference.
 */
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureRender, type RenderTimes } from '../../src/compare/measure-render.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { meanSquaredError, psnrOfError } from '../../src/metrics/psnr.ts';
import { mean, median } from '../../src/metrics/series.ts';
import { structuralSimilarity } from '../../src/metrics/ssim.ts';
import { FlickerMeter } from '../../src/metrics/temporal-change.ts';
import { networksOf } from '../../src/pipeline/job-networks.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { pictureGrid } from '../lib/picture-grid.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    portrait: { type: 'string', default: 'assets/portraits/ada.jpg' },
    audio: { type: 'string', default: 'assets/speech/short.wav' },
    preset: { type: 'string', default: 'fast' },
    repeats: { type: 'string', default: '3' },
    output: { type: 'string' },
    sheet: { type: 'string' },
  },
});
const PRECISIONS = ['float32', 'int8'] as const;
const SHEET_FRAMES = 6;
const SHEET_CELL = 256;
const DIFFERENCE_GAIN = 8;

interface Side {
  readonly times: RenderTimes[];
  readonly pictures: RgbImage[];
}

const studio = await Studio.open({ device: 'cpu' });
const sides: Record<(typeof PRECISIONS)[number], Side> = {
  float32: { times: [], pictures: [] },
  int8: { times: [], pictures: [] },
};
try {
  const clip = await studio.prepare({
    portrait: values.portrait,
    audio: values.audio,
    preset: values.preset as 'fast',
    framing: 'crop',
    output: path.join(tmpdir(), 'measuring-writes-no-video.mp4'),
    overwrite: true,
  });
  const { job, scene } = clip;
  const leases = await Promise.all(
    PRECISIONS.map((precision) => studio.loadNetworks({ ...networksOf(job), oneAtATime: true, precision })),
  );
  for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
    for (const [i, precision] of PRECISIONS.entries()) {
      const { times, pictures } = sides[precision];
      const { networks } = leases[i]!;
      const onFrame = async (picture: RgbImage): Promise<void> => {
        if (repeat === 0) pictures.push(picture);
      };
      const { sampling } = job;
      times.push(await measureRender({ job, scene, networks, sampling, pass: async () => {}, onFrame }));
    }
  }
  for (const lease of leases) await lease.release();
  await clip.dispose();
} finally {
  await studio.dispose();
}

const [before, after] = [sides.float32.pictures, sides.int8.pictures];
const errors = after.map((picture, i) => meanSquaredError(picture, before[i]!));
const ssims = after.map((picture, i) => structuralSimilarity(picture, before[i]!).ssim);
function flickerOf(pictures: readonly RgbImage[]): number {
  const { width, height } = pictures[0]!;
  const meter = new FlickerMeter({ left: 0, top: 0, right: width, bottom: height });
  for (const picture of pictures) meter.add(picture);
  return meter.result().inside;
}

const rows: string[][] = [];
const note = (what: string, of: (times: RenderTimes) => number, digits: number): void => {
  const [float, int8] = PRECISIONS.map((precision) => median(sides[precision].times.map(of)));
  rows.push([what, float!.toFixed(digits), int8!.toFixed(digits), `${(float! / int8!).toFixed(2)}×`]);
};
note('one run of the denoiser, ms', ({ runs }) => 1000 * median(runs), 1);
note('denoising, s', ({ denoise }) => denoise, 2);
note('decoding, s', ({ decode }) => decode, 2);
note('pose features, s', ({ pose }) => pose, 2);
const [flicker, flicker8] = [flickerOf(before), flickerOf(after)];
await writeReport(values.output, [
  '# Convolutions and linear layers in 8-bit integers',
  '',
  `${path.basename(values.portrait)}, ${path.basename(values.audio)}, preset ${values.preset}, ${before.length} frames, ${values.repeats} repeats in turn; ${availableParallelism()} cores of ${cpus()[0]?.model.trim()}.`,
  '',
  markdownTable(['', 'float32', 'int8', 'gain'], rows),
  '',
  `int8 against float32: PSNR ${psnrOfError(mean(errors)).toFixed(1)} dB (worst frame ${psnrOfError(Math.max(...errors)).toFixed(1)}), SSIM ${mean(ssims).toFixed(4)} (worst ${Math.min(...ssims).toFixed(4)}), flicker ${(flicker8 / flicker).toFixed(3)}× (${flicker.toFixed(3)} and ${flicker8.toFixed(3)} levels).`,
]);
if (values.sheet !== undefined) {
  const chosen = Array.from({ length: SHEET_FRAMES }, (_, i) =>
    Math.floor(((i + 0.5) * before.length) / SHEET_FRAMES),
  );
  const difference = (a: RgbImage, b: RgbImage): RgbImage => ({
    ...a,
    data: a.data.map((value, i) => Math.min(255, Math.max(0, 128 + DIFFERENCE_GAIN * (value - b.data[i]!)))),
  });
  // The lower middle of the square around a face.
  const mouth = ({ data, width, height }: RgbImage): RgbImage => {
    const [w, h] = [width >> 1, height >> 1];
    const cut = new Uint8Array(3 * w * h);
    for (let y = 0; y < h; y++) {
      const from = 3 * ((y + Math.round(0.42 * height)) * width + (width >> 2));
      cut.set(data.subarray(from, from + 3 * w), 3 * w * y);
    }
    return { data: cut, width: w, height: h };
  };
  const at = (pictures: readonly RgbImage[]) => chosen.map((i) => pictures[i]!);
  const sheetRows = [
    at(before).map(mouth),
    at(after).map(mouth),
    chosen.map((i) => mouth(difference(after[i]!, before[i]!))),
    at(before),
    at(after),
  ];
  await saveImage(values.sheet, pictureGrid(sheetRows, { width: SHEET_CELL, height: SHEET_CELL }));
}
