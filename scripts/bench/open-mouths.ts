/**
 * Whether portraits whose mouth is open close it: before they speak, and at each P, B and M. Finished clips are measured, by the
 * attention mesh.
 *
 *   node --import=tsx scripts/bench/open-mouths.ts PORTRAIT … --audio FILE --phones FILE [--preset fast] [--sheet OUT.jpg]
 *       [--output scripts/results/open-mouths.md]
 *
 * Phones: lines of start, end in seconds and name, as speak-languages.py writes them; the sound should begin with silence.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { choosePortraitFace } from '../../src/face/portrait-face.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { loadImage } from '../../src/image/load-image.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { lipOpening } from '../../src/motion/expression-basis.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { refineFace } from '../../src/scene/refine-face.ts';
import { FaceTracker } from '../../src/tracking/face-tracker.ts';
import type { Phone } from '../lib/held-out.ts';
import { formatNumber, markdownTable } from '../lib/markdown-table.ts';
import { closures } from '../lib/phone-openings.ts';
import { pictureGrid } from '../lib/picture-grid.ts';
import { parseSyntheticPhones } from '../lib/synthetic-phones.ts';
import { writeReport } from '../lib/write-report.ts';

/** Lips that touch have landmarks so far apart at most, in cm. */
const CLOSED = 0.12;
/** Outer corners of the eyes, 8.9 cm apart in the canonical face, and the middles of the inner lips. */
const [RIGHT_EYE, LEFT_EYE, UPPER_LIP, LOWER_LIP] = [33, 263, 13, 14];
const EYE_DISTANCE = 8.9;
/** Columns of the sheet: the first frame, and so many closures. */
const SHEET_CLOSURES = 5;
const SHEET_CELL = { width: 200, height: 200 };

const { values, positionals: portraits } = parseArgs({
  allowPositionals: true,
  options: {
    audio: { type: 'string' },
    phones: { type: 'string' },
    preset: { type: 'string', default: 'fast' },
    sheet: { type: 'string' },
    output: { type: 'string' },
  },
});
const { audio, phones: phonesPath, preset } = values;
if (portraits.length === 0 || audio === undefined || phonesPath === undefined) {
  console.error(
    'usage: open-mouths.ts PORTRAIT … --audio FILE --phones FILE [--sheet OUT.jpg] [--output OUT.md]',
  );
  process.exit(2);
}

const phones = parseSyntheticPhones(await readFile(phonesPath, 'utf8'));
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const studio = new Studio({ device: 'cpu' });
const folder = await mkdtemp(path.join(os.tmpdir(), 'open-mouths-'));
const sheet: RgbImage[][] = [];

/** Openings in cm: of the portrait, as asked of each frame, and as found in each. */
interface Openings {
  readonly own: number;
  readonly asked: readonly number[];
  readonly found: readonly number[];
  readonly fps: number;
  readonly frames: readonly RgbImage[];
}

async function speak(portrait: string, speech: string): Promise<Openings> {
  const image = await loadImage(portrait);
  const chosen = choosePortraitFace(image, await finder.findPortrait(image), { path: portrait });
  const { face } = await refineFace(image, chosen, finder);
  const output = path.join(folder, 'clip.mp4');
  const clip = await studio.prepare({
    ...{
      portrait,
      audio: speech,
      output,
      preset: preset as 'fast',
      framing: 'crop',
      overwrite: true,
      crf: 10,
    },
  });
  const asked: number[] = [];
  try {
    for (let frame = 0; frame < clip.job.frames; frame++) {
      asked.push(gapIn((await clip.scene.drivenFace(frame)).landmarks));
    }
    await studio.render(clip);
  } finally {
    await clip.dispose();
  }
  const tracker = new FaceTracker(finder);
  const frames: RgbImage[] = [];
  const found: number[] = [];
  for await (const frame of readFrames(output, { ffmpeg, fps: clip.job.fps })) {
    const seen = await tracker.next(frame);
    found.push(seen === undefined ? Number.NaN : lipOpening(seen.mesh));
    frames.push({ ...frame, data: frame.data.slice() });
  }
  return { own: lipOpening(face.mesh), asked, found, fps: clip.job.fps, frames };
}

/** How far the inner lips are apart across the face, in cm, of landmarks [468, 2]: jaws of open mouths also go back. */
function gapIn(points: ArrayLike<number>): number {
  const vector = (from: number, to: number): readonly [number, number] => [
    points[2 * to]! - points[2 * from]!,
    points[2 * to + 1]! - points[2 * from + 1]!,
  ];
  const [ux, uy] = vector(RIGHT_EYE, LEFT_EYE);
  const [dx, dy] = vector(UPPER_LIP, LOWER_LIP);
  return (EYE_DISTANCE * (dy * ux - dx * uy)) / (ux * ux + uy * uy);
}

/** The frame of each closure in which the lips are nearest. */
function closedFrames({ found, fps }: Openings): number[] {
  return phones
    .filter(({ name }) => name === 'P')
    .map(({ start, end }) => {
      const at = Array.from(
        { length: Math.ceil((end - start) * fps) + 1 },
        (_, i) => Math.round(start * fps) + i,
      );
      return at.reduce((best, frame) => ((found[frame] ?? 9) < (found[best] ?? 9) ? frame : best), at[0]!);
    });
}

const before = phones.find(({ name }: Phone) => name !== 'SIL')!.start;
const rows: string[][] = [];
let [met, all] = [0, 0];
try {
  for (const portrait of portraits) {
    const openings = await speak(portrait, audio);
    const { own, asked, found, fps, frames } = openings;
    const silent = found.slice(0, Math.max(1, Math.floor(before * fps) - 1)).sort((a, b) => a - b);
    const gaps = closures(found, fps, phones);
    const shut = gaps.filter((gap) => gap <= CLOSED).length;
    [met, all] = [met + shut, all + gaps.length];
    rows.push([
      path.basename(portrait),
      formatNumber(own, 2),
      formatNumber(silent[silent.length >> 1]!, 2),
      `${closures(asked, fps, phones).filter((gap) => gap <= CLOSED).length} of ${gaps.length}`,
      `${shut} of ${gaps.length}`,
      formatNumber(Math.max(...gaps), 2),
      formatNumber(Math.max(...found), 2),
    ]);
    console.error(rows.at(-1)!.join('  '));
    const shown = closedFrames(openings).slice(0, SHEET_CLOSURES);
    sheet.push([0, ...shown].map((frame) => frames[Math.min(frame, frames.length - 1)]!));
  }
} finally {
  await studio.dispose();
  await finder.dispose();
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}
await writeReport(values.output, [
  '# Open mouths that close',
  '',
  `Finished clips, preset ${preset}, of portraits with parted lips or a laugh. Openings of the inner lips in cm: in the portrait, before speech`,
  `begins (median), and the widest of the clip; P, B, M whose lips touch (landmarks at most ${CLOSED} cm apart), as they are asked of the mesh and`,
  'as they are found in the picture, with the widest that is left at any of them.',
  '',
  markdownTable(
    ['portrait', 'its opening', 'before speech', 'P B M asked', 'P B M found', 'widest left', 'widest'],
    rows,
  ),
  '',
  `In all, ${met} of ${all}.`,
]);
if (values.sheet !== undefined) await saveImage(values.sheet, pictureGrid(sheet, SHEET_CELL));
