/**
 * How well a face talks: clips are compared with films of the same words, of people whom no training step has seen, by the attention
 * mesh; the motion network by itself with blendshape takes and with the phones of emotional speech.
 *
 *   node --import=tsx scripts/bench/talk.ts --data FOLDER [--triples FOLDER] [--motion-only] [--only NAME] [--films-step 3] [--speech-step 2]
 *       [--bundle NAME] [--preset fast|faster|original] [--threads N] [--work FOLDER] [--output scripts/results/talk.md]
 *
 * FOLDER holds talking/ and more/ as for training. Triples are NAME_ref.jpg, NAME_aud.*, NAME_gt.mp4; with them alone, --data may be
 * left out. `--work` keeps the landmarks of films and rendered clips, so that a run that was stopped goes on: take another folder for
 * other weights or code. `--motion-only` renders nothing; `--only` takes the films whose name has that in it.
 */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { saveImage } from '../../src/image/encode-image.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import { correlation, deviation, mean, median } from '../../src/metrics/series.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { lipGap, loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { generateMotion } from '../../src/motion/generate-motion.ts';
import { loadMotion } from '../../src/motion/load-motion.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { buildMotionNetwork } from '../../src/motion/motion-network.ts';
import { animate } from '../../src/pipeline/animate.ts';
import type { AnimateOptions } from '../../src/pipeline/animate-options.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { drivenStates, portraitMesh } from '../lib/driven-states.ts';
import { formatNumber, markdownTable } from '../lib/markdown-table.ts';
import { closures, phoneTargets } from '../lib/phone-openings.ts';
import { type FilmCase, listEmotional, listFilms, listTakes, listTriples } from '../lib/talk-cases.ts';
import { type FaceState, type FaceValue, stateOfLandmarks } from '../lib/talk-measures.ts';
import {
  agreement,
  bandShares,
  countBlinks,
  loudnessOf,
  meanSpeed,
  percentile,
  seriesOf,
} from '../lib/talk-statistics.ts';
import { type TrackedFilm, trackFilm } from '../lib/track-film.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    triples: { type: 'string' },
    'motion-only': { type: 'boolean', default: false },
    only: { type: 'string' },
    'films-step': { type: 'string', default: '3' },
    'speech-step': { type: 'string', default: '2' },
    bundle: { type: 'string', default: 'tiny' },
    preset: { type: 'string', default: 'fast' },
    threads: { type: 'string' },
    work: { type: 'string' },
    output: { type: 'string' },
  },
});
const steps = { films: Number(values['films-step']), speech: Number(values['speech-step']) };
if (
  (values.data === undefined && values.triples === undefined) ||
  !(steps.films >= 1) ||
  !(steps.speech >= 1) ||
  !['fast', 'faster', 'original'].includes(values.preset)
) {
  console.error(
    'usage: talk.ts --data FOLDER [--triples FOLDER] [--motion-only] [--only NAME] [--films-step 3] [--speech-step 2]\n' +
      '           [--bundle NAME] [--preset fast|faster|original] [--threads N] [--work FOLDER] [--output OUT.md]',
  );
  process.exit(2);
}

const FPS = 25;
const SAMPLE_RATE = 16000;
const LOOKS_CLOSED_MM = 1;
const MM = 10;

/** The options that the figures depend on, as they were given. */
function calledWith(): string[] {
  const { data, triples, only, preset } = values;
  return [
    ...(data === undefined ? [] : ['--data FOLDER']),
    ...(triples === undefined ? [] : ['--triples FOLDER']),
    ...(values['motion-only'] ? ['--motion-only'] : [`--preset ${preset}`]),
    ...(only === undefined ? [] : [`--only ${only}`]),
    `--films-step ${steps.films} --speech-step ${steps.speech}`,
  ];
}

/** What was measured of a filmed case; the series are of the same frames. */
interface FilmResult {
  readonly group: string;
  readonly film: readonly FaceState[];
  /** The mesh and pose that drive our clip. */
  readonly driven: readonly FaceState[];
  readonly rendered: readonly FaceState[] | undefined;
  readonly loudness: readonly number[];
}

const temporary = values.work === undefined ? await mkdtemp(path.join(tmpdir(), 'talk-')) : undefined;
const work = values.work ?? temporary!;
await mkdir(work, { recursive: true });
const ffmpeg = await locateFfmpeg({ env: process.env });
const engine = await Engine.open({
  device: 'cpu',
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
const bundle = await openBundle(values.bundle);
const motionOf = await loadMotion(bundle, (name, graph) => engine.load(name, graph.toBytes()));

/** What moves the mouth alone. */
const mouth = await (async () => {
  const config = parseMotionConfig(bundle.description.motion, bundle.folder);
  const weights = openSafetensors(bundle.pathOf('motion'));
  try {
    const network = await engine.load('motion', buildMotionNetwork({ config, weights }).toBytes());
    return { config, network, basis: loadExpressionBasis(weights) };
  } finally {
    weights.dispose();
  }
})();

function optionsOf(
  portrait: string,
  audio: string,
  output: string,
): AnimateOptions & { portrait: string; audio: string } {
  return {
    ...{ portrait, audio, output, fps: FPS, device: 'cpu', bundle: values.bundle },
    ...{ preset: values.preset as 'fast' | 'faster' | 'original' },
    ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
  };
}

/** Face states of a film, kept in the work folder. */
async function statesOf(film: string, key: string): Promise<FaceState[]> {
  const kept = path.join(work, `${key}.landmarks`);
  let tracked = await readFile(kept).then(
    (bytes) => deserialize(bytes) as TrackedFilm,
    () => undefined,
  );
  if (tracked === undefined) {
    tracked = await trackFilm(film, { finder, ffmpeg, fps: FPS });
    await writeFile(`${kept}.partial`, serialize(tracked));
    await rename(`${kept}.partial`, kept);
  }
  const { width, height, landmarks } = tracked;
  return landmarks.map((points) => stateOfLandmarks(points, width, height));
}

async function firstFrame(film: string, key: string): Promise<string> {
  const picture = path.join(work, `${key}.png`);
  for await (const frame of readFrames(film, { ffmpeg, fps: FPS })) {
    await saveImage(picture, frame);
    break;
  }
  return picture;
}

async function measureFilm({ group, name, portrait, audio, film }: FilmCase): Promise<FilmResult> {
  const states = await statesOf(film, `${name}.film`);
  const still = portrait ?? (await firstFrame(film, name));
  const clip = path.join(work, `${name}.mp4`);
  const options = optionsOf(still, audio, clip);
  const { pcm } = await readAudio(audio, { ffmpeg, sampleRate: SAMPLE_RATE });
  const mesh = await portraitMesh(still, { finder, resolution: bundle.description.resolution });
  const driven = await drivenStates({ motionOf, mesh, pcm, fps: FPS, frames: states.length, options });
  let rendered: FaceState[] | undefined;
  if (!values['motion-only']) {
    const done = await readFile(path.join(work, `${name}.ours.landmarks`)).catch(() => undefined);
    if (done === undefined) await animate(options);
    rendered = (await statesOf(clip, `${name}.ours`)).slice(0, states.length);
    await rm(clip, { force: true });
  }
  const loudness = loudnessOf(pcm, SAMPLE_RATE, FPS, states.length);
  return { group, film: states, driven, rendered, loudness };
}

/** Openings in mm of a mouth that is closed at rest. */
async function openingsOf(pcm: Float32Array, fps: number, frames: number): Promise<number[]> {
  const { offsets } = await generateMotion({ ...mouth, pcm, fps, frames });
  const openings: number[] = [];
  for (let frame = 0; frame < frames; frame++) {
    openings.push(Math.max(0, MM * lipGap(offsets.subarray(frame * MESH_VALUES, (frame + 1) * MESH_VALUES))));
  }
  return openings;
}

/** Mean over clips of what `of` says about each. */
function over(results: readonly FilmResult[], of: (result: FilmResult) => number): number {
  return mean(results.map(of));
}

/** Standard deviation within a clip, mean over clips, of one side over another. */
function amplitude(results: readonly FilmResult[], side: Side, value: FaceValue): number {
  const spread = (states: readonly FaceState[] | undefined): number =>
    states === undefined ? Number.NaN : deviation(seriesOf(states, value));
  return over(results, (result) => spread(result[side])) / over(results, ({ film }) => spread(film));
}

type Side = 'rendered' | 'driven' | 'film';

function agreementRow(label: string, results: readonly FilmResult[], side: Side | 'loudness'): string[] {
  const of = (value: FaceValue) => (result: FilmResult) => {
    const ours = side === 'loudness' ? result.loudness : seriesOf(result[side] ?? [], value);
    return agreement(seriesOf(result.film, value), ours);
  };
  const number = (value: FaceValue, key: 'correlation' | 'lag'): string =>
    formatNumber(
      over(results, (result) => of(value)(result)[key]),
      key === 'lag' ? 1 : 2,
    );
  const size = (value: FaceValue): string =>
    side === 'loudness' ? '–' : formatNumber(amplitude(results, side, value), 2);
  return [
    label,
    ...[number('opening', 'correlation'), number('opening', 'lag'), size('opening')],
    ...[
      number('width', 'correlation'),
      size('width'),
      number('protrusion', 'correlation'),
      size('protrusion'),
    ],
    size('brows'),
  ];
}

function sizeRow(label: string, results: readonly FilmResult[], side: Side): string[] {
  const all = (value: FaceValue): number[] =>
    results.flatMap((result) => seriesOf(result[side] ?? [], value));
  const within = (value: FaceValue): string =>
    formatNumber(median(results.map((result) => deviation(seriesOf(result[side] ?? [], value)))), 1);
  const speed = (value: FaceValue): string =>
    formatNumber(
      over(results, (result) => meanSpeed(seriesOf(result[side] ?? [], value), FPS)),
      1,
    );
  const openings = all('opening');
  const shares = results.map((result) => bandShares(seriesOf(result[side] ?? [], 'pitch'), FPS));
  const minutes = results.reduce((sum, result) => sum + (result[side]?.length ?? 0), 0) / FPS / 60;
  const blinks = results.reduce((sum, result) => sum + countBlinks(seriesOf(result[side] ?? [], 'lids')), 0);
  return [
    label,
    within('opening'),
    [0.05, 0.5, 0.95].map((share) => formatNumber(percentile(openings, share), 1)).join(' '),
    within('width'),
    within('brows'),
    (['pitch', 'yaw', 'roll'] as const).map(within).join(' '),
    (['pitch', 'yaw', 'roll'] as const).map(speed).join(' '),
    [0, 1, 2].map((band) => formatNumber(mean(shares.map((share) => share[band]!)), 2)).join(' '),
    formatNumber(blinks / minutes, 0),
  ];
}

function filmTables(results: readonly FilmResult[]): string[] {
  const lines: string[] = [];
  for (const group of new Set(results.map((result) => result.group))) {
    const own = results.filter((result) => result.group === group);
    const sides: [string, Side][] = [['ours, driven', 'driven']];
    if (!values['motion-only']) sides.unshift(['ours, rendered', 'rendered']);
    lines.push(
      `## ${group[0]!.toUpperCase()}${group.slice(1)}: ${own.length} clips`,
      '',
      markdownTable(
        ['', 'opening r', 'lag', 'size', 'width r', 'size', 'protrusion r', 'size', 'brows'],
        [
          ...sides.map(([label, side]) => agreementRow(label, own, side)),
          agreementRow('loudness alone', own, 'loudness'),
        ],
      ),
      '',
      markdownTable(
        ['', 'opening', '5 50 95 %', 'width', 'brows', 'pitch yaw roll', 'speed', '< 1 < 3 > 3 Hz', 'blinks'],
        [sizeRow('film', own, 'film'), ...sides.map(([label, side]) => sizeRow(label, own, side))],
      ),
      '',
    );
  }
  return lines;
}

async function takesTable(data: string): Promise<string[]> {
  const rows: string[][] = [];
  for (const { name, audio, opening, fps } of await listTakes(data)) {
    const { pcm } = await readAudio(audio, { ffmpeg, sampleRate: SAMPLE_RATE });
    const ours = await openingsOf(pcm, fps, opening.length);
    const { correlation: r, lag } = agreement(opening, ours);
    const loud = correlation(opening, loudnessOf(pcm, SAMPLE_RATE, fps, opening.length));
    rows.push([
      ...[
        name,
        formatNumber(r, 2),
        formatNumber(lag, 0),
        formatNumber(loud, 2),
        formatNumber(deviation(ours), 1),
      ],
      [0.05, 0.5, 0.95].map((share) => formatNumber(percentile(ours, share), 1)).join(' '),
    ]);
  }
  return [
    '## Mandarin takes: the motion network against blendshapes',
    '',
    markdownTable(['', 'opening r', 'lag', 'loudness alone', 'opening, mm', '5 50 95 %'], rows),
    '',
  ];
}

async function labelledTable(data: string): Promise<string[]> {
  const voices = new Map<string, { targets: number[]; ours: number[]; loud: number[]; closed: number[] }>();
  for (const { voice, audio, phones } of await listEmotional(data, steps.speech)) {
    const { pcm } = await readAudio(audio, { ffmpeg, sampleRate: SAMPLE_RATE });
    const frames = Math.floor((pcm.length / SAMPLE_RATE) * FPS);
    const ours = await openingsOf(pcm, FPS, frames);
    const all = voices.get(voice) ?? { targets: [], ours: [], loud: [], closed: [] };
    voices.set(voice, all);
    all.targets.push(...phoneTargets(frames, FPS, phones));
    all.ours.push(...ours);
    // Recordings differ in level: loudness is relative to the loudest frame.
    const loud = loudnessOf(pcm, SAMPLE_RATE, FPS, frames);
    const loudest = Math.max(...loud);
    all.loud.push(...loud.map((value) => value / loudest));
    all.closed.push(...closures(ours, FPS, phones).filter(Number.isFinite));
  }
  const rows = [...voices].map(([voice, { targets, ours, loud, closed }]) => [
    voice,
    formatNumber(correlation(targets, ours), 2),
    formatNumber(correlation(targets, loud), 2),
    formatNumber(deviation(ours), 1),
    [0.05, 0.5, 0.95].map((share) => formatNumber(percentile(ours, share), 1)).join(' '),
    `${closed.filter((opening) => opening < LOOKS_CLOSED_MM).length} of ${closed.length}`,
  ]);
  return [
    '## Emotional German: the motion network against phones',
    '',
    markdownTable(['', 'opening r', 'loudness alone', 'opening, mm', '5 50 95 %', 'P B M closed'], rows),
    '',
  ];
}

try {
  const films = [
    ...(values.data === undefined ? [] : await listFilms(values.data, steps.films)),
    ...(values.triples === undefined ? [] : await listTriples(values.triples)),
  ].filter(({ name }) => name.includes(values.only ?? ''));
  const results: FilmResult[] = [];
  for (const film of films) {
    results.push(await measureFilm(film));
    const { correlation: r, amplitude: size } = agreement(
      seriesOf(results.at(-1)!.film, 'opening'),
      seriesOf(results.at(-1)!.rendered ?? results.at(-1)!.driven, 'opening'),
    );
    console.error(`${film.name}: opening r ${formatNumber(r, 2)}, size ${formatNumber(size, 2)}`);
  }
  await writeReport(values.output, [
    '# A talking face compared with film',
    '',
    `Bundle ${values.bundle}, ${values['motion-only'] ? 'nothing rendered' : `preset ${values.preset}`}, ${new Date().toISOString().slice(0, 10)}. Nobody here was trained on; the trained speaker's`,
    'sentences were not. Films give the still (their first frame) and the sound. Made by',
    '',
    `    node --import=tsx scripts/bench/talk.ts ${calledWith().join(' ')} --output scripts/results/talk.md`,
    '',
    ...filmTables(results),
    ...(values.data === undefined ? [] : await takesTable(values.data)),
    ...(values.data === undefined ? [] : await labelledTable(values.data)),
    '- **r**: correlation with the film, frame by frame, mean over clips; **lag** in frames at which it is highest: above 0, ours comes later.',
    "  **Size**: mean over clips of the standard deviation, ours over the film's. **Driven** is the mesh before anything is drawn. Films",
    '  and clips are seen by the attention mesh.',
    '- **Opening, width, brows**: standard deviation within a clip in mm, median over clips; **pitch yaw roll** likewise in degrees; **speed**:',
    '  mean in degrees a second; **< 1 < 3 > 3 Hz**: shares of the variance of pitch; **blinks** a minute.',
    "- The takes' truth is a weighted sum of jaw, lips and funnel. Phones: 1 in vowels, 0 at P, B, M and in pauses; others do not count.",
  ]);
} finally {
  await finder.dispose();
  await engine.dispose();
  if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
}
