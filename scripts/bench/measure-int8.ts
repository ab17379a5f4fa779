/**
 * What 8-bit integers gain and cost: clips rendered in float32 and in int8 in turn, with times and pictures next to each
 * other.
 *
 *   node --import=tsx scripts/bench/measure-int8.ts [--portrait FILE] [--audio FILE] [--preset fast] [--bundle tiny] [--repeats 3]
 *       [--output FILE.md] [--sheet FILE.png]
 *   node --import=tsx scripts/bench/measure-int8.ts --data FOLDER [--people 10] [--split test] [--seconds 2] [--repeats 1] …
 *
 * Pictures are the square around the face. The sheet shows float32, int8 and eight times their difference, of the first clip.
 * FOLDER holds portraits/, speech/ and talking/ with their index.tsv, as for training: each person of the split says a recording of
 * its own, cut to so many seconds, and the exit status is 1 if they miss what int8 has to keep to be a preset's choice.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureRender, type RenderTimes } from '../../src/compare/measure-render.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { median } from '../../src/metrics/series.ts';
import { networksOf } from '../../src/pipeline/job-networks.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import {
  comparePrecisions,
  GATE,
  keepsGate,
  type MeasuredPerson,
  peopleTable,
} from '../lib/compare-precisions.ts';
import { listPortraits, listSpeech } from '../lib/held-out.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { pictureGrid } from '../lib/picture-grid.ts';
import { encodeWav } from '../lib/wav.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    portrait: { type: 'string', default: 'assets/portraits/ada.jpg' },
    audio: { type: 'string', default: 'assets/speech/short.wav' },
    preset: { type: 'string', default: 'fast' },
    bundle: { type: 'string', default: 'tiny' },
    data: { type: 'string' },
    people: { type: 'string', default: '10' },
    split: { type: 'string', default: 'test' },
    seconds: { type: 'string', default: '2' },
    repeats: { type: 'string' },
    output: { type: 'string' },
    sheet: { type: 'string' },
  },
});
const PRECISIONS = ['float32', 'int8'] as const;
const SHEET_FRAMES = 6;
const SHEET_CELL = 256;
const DIFFERENCE_GAIN = 8;
const SAMPLE_RATE = 16_000;

interface Side {
  readonly times: RenderTimes[];
  /** Of the first repeat. */
  readonly pictures: RgbImage[];
}

/** A clip in both precisions. */
type Sides = Record<(typeof PRECISIONS)[number], Side>;

/** Renders a clip in both precisions by turns. */
async function renderBoth(studio: Studio, portrait: string, audio: string, repeats: number): Promise<Sides> {
  const sides: Sides = { float32: { times: [], pictures: [] }, int8: { times: [], pictures: [] } };
  const clip = await studio.prepare({
    portrait,
    audio,
    preset: values.preset as 'fast',
    bundle: values.bundle,
    framing: 'crop',
    output: path.join(tmpdir(), 'measuring-writes-no-video.mp4'),
    overwrite: true,
  });
  const { job, scene } = clip;
  const leases = await Promise.all(
    PRECISIONS.map((precision) => studio.loadNetworks({ ...networksOf(job), oneAtATime: true, precision })),
  );
  for (let repeat = 0; repeat < repeats; repeat++) {
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
  return sides;
}

/** What both precisions take, medians of all clips. */
function timesTable(clips: readonly Sides[]): string {
  const rows: string[][] = [];
  const note = (what: string, of: (times: RenderTimes) => number, digits: number): void => {
    const [float, int8] = PRECISIONS.map((precision) =>
      median(clips.flatMap((sides) => sides[precision].times.map(of))),
    );
    rows.push([what, float!.toFixed(digits), int8!.toFixed(digits), `${(float! / int8!).toFixed(2)}×`]);
  };
  note('one run of the denoiser, ms', ({ runs }) => 1000 * median(runs), 1);
  note('denoising, s', ({ denoise }) => denoise, 2);
  note('decoding, s', ({ decode }) => decode, 2);
  note('pose features, s', ({ pose }) => pose, 2);
  return markdownTable(['', 'float32', 'int8', 'gain'], rows);
}

/** The clips to render: people of the data with a recording each, cut to `--seconds`, or one portrait and one recording. */
async function listClips(folder: string): Promise<{ portrait: string; audio: string; speech: string }[]> {
  const { data, split, portrait, audio } = values;
  if (data === undefined) return [{ portrait, audio, speech: path.parse(audio).name }];
  const portraits = await listPortraits(data, split, Number(values.people));
  const speech = await listSpeech(data, split, portraits.length);
  const ffmpeg = await locateFfmpeg({ env: process.env });
  return Promise.all(
    portraits.map(async (file, i) => {
      const wav = path.join(folder, `${i}.wav`);
      const { pcm } = await readAudio(speech[i]!.path, { ffmpeg, sampleRate: SAMPLE_RATE });
      await writeFile(wav, encodeWav(pcm.subarray(0, Number(values.seconds) * SAMPLE_RATE), SAMPLE_RATE));
      return { portrait: file, audio: wav, speech: speech[i]!.name };
    }),
  );
}

const repeats = Number(values.repeats ?? (values.data === undefined ? 3 : 1));
const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-int8-'));
const studio = await Studio.open({ device: 'cpu' });
const rendered: Sides[] = [];
const people: MeasuredPerson[] = [];
try {
  for (const { portrait, audio, speech } of await listClips(folder)) {
    const sides = await renderBoth(studio, portrait, audio, repeats);
    const { float32, int8 } = sides;
    const distance = comparePrecisions(float32.pictures, int8.pictures);
    people.push({ portrait: path.parse(portrait).name, speech, frames: int8.pictures.length, distance });
    // Pictures of all clips would take much memory: only the sheet's are kept.
    rendered.push(
      rendered.length === 0
        ? sides
        : { float32: { ...float32, pictures: [] }, int8: { ...int8, pictures: [] } },
    );
  }
} finally {
  await studio.dispose();
  await rm(folder, { recursive: true, force: true });
}

await writeReport(values.output, [
  '# Convolutions and linear layers in 8-bit integers',
  '',
  `Bundle ${values.bundle}, preset ${values.preset}, ${repeats} repeats in turn; ${availableParallelism()} cores of ${cpus()[0]?.model.trim()}.`,
  '',
  timesTable(rendered),
  '',
  peopleTable(people),
  '',
  `Wanted: SSIM of at least ${GATE.ssim}, flicker at most ${GATE.flicker} times that of float32: ${keepsGate(people) ? 'kept' : 'missed'} on average.`,
]);
if (values.data !== undefined && !keepsGate(people)) process.exitCode = 1;
if (values.sheet !== undefined) {
  const before = rendered[0]!.float32.pictures;
  const after = rendered[0]!.int8.pictures;
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
