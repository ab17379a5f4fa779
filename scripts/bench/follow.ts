/**
 * How much of a driving motion the picture shows: portraits are moved by known amounts, by the warp alone and by the whole
 * pipeline, and the project's own landmarker looks at the result. What it sees of the same things on film, where other
 * landmarks say what is true, tells how much of a loss is its own.
 *
 *   node --import=tsx scripts/bench/follow.ts --data FOLDER [--films LANDMARKS] [--people 8] [--split test] [--whole] [--plain]
 *       [--bundle tiny] [--sheet OUT.png] [--output scripts/results/follow.md]
 *
 * `--plain` looks at the pictures with the plain network of landmarks, which shows half of how far lips and lids open, as films
 * show; without it the attention mesh looks at them. FOLDER holds portraits/ and talking/ as for training; LANDMARKS is what scripts/train/export_for_windows.py writes.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { EXERCISE } from '../lib/exercise.ts';
import { type Followed, type FollowSetup, followFilms, followPortrait } from '../lib/follow-motion.ts';
import { followTable, openingTable } from '../lib/follow-report.ts';
import { listFilms, listPortraits } from '../lib/held-out.ts';
import { pictureGrid } from '../lib/picture-grid.ts';

const USAGE =
  'usage: follow.ts --data FOLDER [--films LANDMARKS] [--people 8] [--split test] [--whole] [--plain] [--bundle tiny]\n' +
  '           [--sheet OUT.png] [--output OUT.md]';
const FILMS = 6;

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    films: { type: 'string' },
    people: { type: 'string', default: '8' },
    split: { type: 'string', default: 'test' },
    whole: { type: 'boolean', default: false },
    plain: { type: 'boolean', default: false },
    bundle: { type: 'string', default: 'tiny' },
    sheet: { type: 'string' },
    output: { type: 'string' },
  },
});
const people = Number(values.people);
if (values.data === undefined || !Number.isInteger(people) || people < 0) {
  console.error(USAGE);
  process.exit(2);
}

const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const ffmpeg = await locateFfmpeg({ env: process.env });
const folder = await mkdtemp(path.join(tmpdir(), 'follow-'));
try {
  const setup: FollowSetup = {
    engine,
    finder,
    ffmpeg,
    folder,
    bundle: values.bundle,
    precise: !values.plain,
  };
  const rows: Followed[] = [];
  if (values.films !== undefined) {
    const films = await listFilms(values.data, values.split, FILMS);
    rows.push(...(await followFilms(films, { ...setup, data: values.data, landmarks: values.films })));
  }
  for (const portrait of people === 0 ? [] : await listPortraits(values.data, values.split, people)) {
    rows.push(...(await followPortrait(portrait, setup, values.whole)));
    console.error(path.basename(portrait));
  }
  const text = `${followTable(rows)}\n${openingTable(rows)}`;
  console.log(text);
  if (values.output !== undefined) await writeFile(values.output, text);
  if (values.sheet !== undefined) {
    const sheet = rows.filter((row) => row.pictures.length > 0).map((row) => row.pictures);
    await saveImage(values.sheet, pictureGrid(sheet, { width: 224, height: 224 }));
    console.error(`columns: at rest, then ${EXERCISE.map(({ name }) => name).join('; ')}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
  await finder.dispose();
  await engine.dispose();
}
