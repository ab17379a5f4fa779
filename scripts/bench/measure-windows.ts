/**
 * What windows that move from step to step cost in the picture: filmed clips of a split, rendered with the film's own motion
 * in overlapping and in moving windows, against the film and against each other; and how much the networks' part changes
 * from frame to frame where windows meet.
 *
 *   node --import=tsx scripts/bench/measure-windows.ts --data FOLDER --landmarks FOLDER [--split test] [--clips 12] [--bundle tiny]
 *       [--preset fast] [--output FILE.md] [--sheet FILE.png]
 *
 * The first folder holds talking/ with its index.tsv, the second the landmarks that scripts/train/export_for_windows.py
 * writes. The sheet shows mouths around a seam of each clip: overlapping, moving, filmed.
 */
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { countWindowSteps, type WindowPlan } from '../../src/denoising/context-windows.ts';
import { faceMask } from '../../src/face/face-mask.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { toPlanar } from '../../src/image/planar.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { type Box, boxAround, cutBox } from '../../src/metrics/picture.ts';
import { psnrOfError } from '../../src/metrics/psnr.ts';
import { mean } from '../../src/metrics/series.ts';
import type { ClipNetworks } from '../../src/networks/clip-networks.ts';
import { decodeFrames } from '../../src/pipeline/decode-frames.ts';
import { denoiseFrames, denoiserOf } from '../../src/pipeline/denoise-frames.ts';
import { networksOf } from '../../src/pipeline/job-networks.ts';
import type { Job } from '../../src/pipeline/open-job.ts';
import { planClip } from '../../src/pipeline/resolve-sampling.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { WindowConditions } from '../../src/pipeline/window-conditions.ts';
import type { Scene } from '../../src/scene/scene.ts';
import { LEFT_EYE, OUTER_LIPS, RIGHT_EYE } from '../lib/feature-rings.ts';
import { FILM_SIZE, type FilmedClip, openFilmedClip } from '../lib/filmed-clip.ts';
import { markdownTable } from '../lib/markdown-table.ts';
import { pictureGrid } from '../lib/picture-grid.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    landmarks: { type: 'string' },
    split: { type: 'string', default: 'test' },
    clips: { type: 'string', default: '12' },
    bundle: { type: 'string', default: 'tiny' },
    preset: { type: 'string', default: 'fast' },
    output: { type: 'string' },
    sheet: { type: 'string' },
  },
});
const { data, landmarks, split, preset } = values;
if (data === undefined || landmarks === undefined || !['fast', 'faster', 'original'].includes(preset)) {
  console.error(
    'usage: measure-windows.ts --data FOLDER --landmarks FOLDER, and what the head of the file says',
  );
  process.exit(2);
}

const LAYOUTS = ['overlapping', 'moving'] as const;
type Layout = (typeof LAYOUTS)[number];
const PIXELS = FILM_SIZE ** 2;
const LEVELS = 127.5;
const MASK_CELL = 8;
const SHEET_CELL = { width: 144, height: 96 };
const SHEET_REACH = 4;

function boxesOf(points: Float64Array, rings: readonly (readonly number[])[], margin: number): Box[] {
  return rings.map((ring) =>
    boxAround(
      ring.flatMap((i) => [points[2 * i]!, points[2 * i + 1]!]),
      2,
      margin,
    ),
  );
}
const eyesAndMouth = (points: Float64Array): Box[] =>
  boxesOf(points, [LEFT_EYE, RIGHT_EYE, OUTER_LIPS], 0.12);
const face = (points: Float64Array): Box[] => [boxAround(points, 2, 0)];

/** Mean over the pixels of boxes and the three channels of what `of` makes of an index into planar pictures. */
function meanOver(boxes: readonly Box[], of: (index: number) => number): number {
  let [sum, count] = [0, 0];
  for (const { left, top, right, bottom } of boxes) {
    for (let y = Math.max(0, Math.floor(top)); y < Math.min(FILM_SIZE, bottom); y++) {
      for (let x = Math.max(0, Math.floor(left)); x < Math.min(FILM_SIZE, right); x++) {
        for (let c = 0; c < 3; c++) sum += of(c * PIXELS + y * FILM_SIZE + x);
        count += 3;
      }
    }
  }
  return sum / count;
}

/** What the networks add to the warp, [3, S, S] in units of [−1, 1], by frame. */
async function render(
  clip: FilmedClip,
  job: Job,
  networks: ClipNetworks,
  { denoisedFrames, windows }: Pick<Job, 'denoisedFrames' | 'windows'>,
): Promise<Float32Array[]> {
  const watch = new Stopwatch();
  const at = async (frame: number) => clip.conditions[frame]!;
  const scene = { conditions: at, base: at, shown: async () => undefined } as Partial<Scene> as Scene;
  const conditions = new WindowConditions({ scene, networks, denoisedFrames, windows, watch });
  await networks.bindReference(await networks.makeReference(clip.reference), { transfer: true });
  const denoised = denoiseFrames({
    job: { ...job, denoisedFrames, windows },
    networks,
    denoiser: denoiserOf(networks, conditions, watch),
    onStep: (step) => conditions.stepDone(step),
  });
  const differences: Float32Array[] = [];
  for await (const { decoded } of decodeFrames(denoised, { networks, conditions, watch })) {
    differences.push(decoded);
  }
  return differences;
}

/** Planar, in levels of 255: the warp and, within the face's mask, what was added. */
function compose(base: Float32Array, difference: Float32Array, points: Float64Array): Float32Array {
  const mask = faceMask(points, FILM_SIZE, MASK_CELL);
  return base.map((value, i) => {
    const [x, y] = [i % FILM_SIZE, Math.floor((i % PIXELS) / FILM_SIZE)];
    const cell = Math.floor(y / MASK_CELL) * mask.cells + Math.floor(x / MASK_CELL);
    return Math.min(255, Math.max(0, (value + difference[i]! * mask.data[cell]! + 1) * LEVELS));
  });
}

function interleaved(planar: Float32Array): RgbImage {
  const bytes = Uint8Array.from(planar, (_, i) => Math.round(planar[(i % 3) * PIXELS + Math.floor(i / 3)]!));
  return { data: bytes, width: FILM_SIZE, height: FILM_SIZE };
}

/** Numbers of the clip's frames that begin a window of the last step. */
function lastSeams({
  denoisedFrames,
  windows,
}: {
  readonly denoisedFrames: readonly number[];
  readonly windows: WindowPlan;
}) {
  return windows.at(-1)!.flatMap(({ frames }) => (frames[0]! > 0 ? [denoisedFrames[frames[0]!]!] : []));
}

/** Values by row and column, of which the mean is shown. */
class Table {
  readonly #cells = new Map<string, Map<string, number[]>>();

  note(row: string, column: string, value: number): void {
    const cells = this.#cells.get(row) ?? new Map<string, number[]>();
    this.#cells.set(row, cells.set(column, [...(cells.get(column) ?? []), value]));
  }

  toString(columns: Readonly<Record<string, number>>): string {
    const rows = Array.from(this.#cells, ([row, cells]) => [
      row,
      ...Object.entries(columns).map(([column, digits]) =>
        cells.has(column) ? mean(cells.get(column)!).toFixed(digits) : '–',
      ),
    ]);
    return markdownTable(['', ...Object.keys(columns)], rows);
  }
}

async function listClips(): Promise<string[]> {
  const [header, ...rows] = (await readFile(path.join(data!, 'talking', 'index.tsv'), 'utf8'))
    .trim()
    .split('\n');
  const at = (name: string): number => header!.split('\t').indexOf(name);
  const names = rows
    .map((row) => row.split('\t'))
    .filter((row) => row[at('split')] === split)
    .map((row) => path.parse(row[at('file')]!).name);
  const wanted = Math.min(names.length, Number(values.clips));
  return Array.from({ length: wanted }, (_, i) => names[Math.floor((i * names.length) / wanted)]!);
}

const scores = new Table();
const seams = new Table();
const sheet: RgbImage[][] = [];

async function measure(clip: FilmedClip, job: Job, networks: ClipNetworks): Promise<void> {
  const { frames, points, conditions } = clip;
  const plans = {} as Record<Layout, Pick<Job, 'denoisedFrames' | 'windows'>>;
  const added = {} as Record<Layout | 'warp', Float32Array[]>;
  const bases = conditions.map(({ base }) => toPlanar({ data: base }, new Float32Array(base.length)));
  added.warp = bases.map((base) => new Float32Array(base.length));
  for (const layout of LAYOUTS) {
    plans[layout] = planClip(
      job.bundle,
      job.options.preset,
      { ...job.sampling, windows: layout },
      frames.length,
    );
    scores.note(layout, 'evaluations', countWindowSteps(plans[layout].windows) * job.sampling.branches);
    added[layout] = await render(clip, job, networks, plans[layout]);
  }
  const film = frames.map((frame) =>
    toPlanar(frame, new Float32Array(3 * PIXELS)).map((value) => (value + 1) * LEVELS),
  );
  const shown = Object.fromEntries(
    Object.entries(added).map(([name, differences]) => [
      name,
      differences.map((difference, f) => compose(bases[f]!, difference, points[f]!)),
    ]),
  ) as typeof added;
  for (const [name, pictures] of Object.entries({ ...shown, film })) {
    const psnrTo = (others: readonly Float32Array[], boxes: (points: Float64Array) => Box[]): number => {
      const errors = pictures.map((picture, f) =>
        meanOver(boxes(points[f]!), (i) => (picture[i]! - others[f]![i]!) ** 2),
      );
      return psnrOfError(mean(errors));
    };
    if (name !== 'film') {
      scores.note(name, 'face, dB', psnrTo(film, face));
      scores.note(name, 'eyes and mouth, dB', psnrTo(film, eyesAndMouth));
      if (name !== 'overlapping') {
        scores.note(name, 'to overlapping, dB', psnrTo(shown.overlapping, eyesAndMouth));
      }
    }
    const jitter = pictures.slice(1, -1).map((picture, before) => {
      const [last, next] = [pictures[before]!, pictures[before + 2]!];
      const of = (i: number): number => Math.abs(picture[i]! - (last[i]! + next[i]!) / 2);
      return meanOver(eyesAndMouth(points[before + 1]!), of);
    });
    scores.note(name, 'jitter', mean(jitter));
  }
  for (const of of LAYOUTS) {
    const places = new Set(lastSeams(plans[of]));
    for (const layout of LAYOUTS) {
      for (let f = 1; f < frames.length; f++) {
        const [now, before] = [added[layout][f]!, added[layout][f - 1]!];
        const change = meanOver(eyesAndMouth(points[f]!), (i) => LEVELS * Math.abs(now[i]! - before[i]!));
        seams.note(`${layout} windows, seams of ${of}`, places.has(f) ? 'at seams' : 'elsewhere', change);
      }
    }
  }
  const seam = lastSeams(plans.moving).find((f) => f >= SHEET_REACH && f + SHEET_REACH <= frames.length);
  if (seam === undefined) return;
  for (const pictures of [shown.overlapping, shown.moving, film]) {
    sheet.push(
      Array.from({ length: 2 * SHEET_REACH }, (_, i) => {
        const f = seam - SHEET_REACH + i;
        return cutBox(interleaved(pictures[f]!), boxesOf(points[f]!, [OUTER_LIPS], 0.25)[0]!);
      }),
    );
  }
}

const studio = await Studio.open({ device: 'cpu' });
try {
  // Whatever the clip: its bundle, sampler and networks are what is needed.
  const prepared = await studio.prepare({
    portrait: 'assets/portraits/ada.jpg',
    audio: 'assets/speech/short.wav',
    output: path.join(tmpdir(), 'measuring-writes-no-video.mp4'),
    bundle: values.bundle,
    preset: preset as 'fast',
    overwrite: true,
  });
  const { job } = prepared;
  await prepared.dispose();
  const { networks, release } = await studio.loadNetworks({ ...networksOf(job), oneAtATime: true });
  const { path: ffmpeg } = await locateFfmpeg({ env: process.env });
  const names = await listClips();
  for (const name of names) {
    await measure(openFilmedClip(name, { ffmpeg, data, landmarks }), job, networks);
    console.error(name);
  }
  await release();
  await writeReport(values.output, [
    '# Windows that move from step to step',
    '',
    `${names.length} filmed clips of the split ${split}, bundle ${values.bundle}, preset ${preset} (${job.sampling.precision}, one of ${job.sampling.denoiseEvery} frames denoised).`,
    'PSNR against the film; jitter in eyes and mouth, levels of 255, of a frame against the mean of its neighbours.',
    '',
    scores.toString({
      evaluations: 0,
      'face, dB': 3,
      'eyes and mouth, dB': 3,
      'to overlapping, dB': 1,
      jitter: 3,
    }),
    '',
    "Change of the networks' part in eyes and mouth from a frame to the next, levels, where windows of the last step meet and elsewhere:",
    '',
    seams.toString({ 'at seams': 3, elsewhere: 3 }),
  ]);
  if (values.sheet !== undefined) await saveImage(values.sheet, pictureGrid(sheet, SHEET_CELL));
} finally {
  await studio.dispose();
}
