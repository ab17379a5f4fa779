/**
 * How well the mouth follows speech of several languages: the motion network on synthetic voices with phone times, and on recorded
 * voices that no training step heard. No picture is rendered.
 *
 *   python3 scripts/bench/speak-languages.py SPOKEN
 *   node --import=tsx scripts/bench/languages.ts --spoken SPOKEN [--data FOLDER] [--sounds SOUNDS] [--bundle NAME]
 *       [--output scripts/results/languages.md]
 *
 * FOLDER holds speech/ with index.tsv and phn/, as for training; SOUNDS recordings in which nobody speaks, such as music, of which the
 * first half minute is heard.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { bestLag, correlation, mean } from '../../src/metrics/series.ts';
import { openBundle } from '../../src/models/bundle.ts';
import { lipGap, loadExpressionBasis } from '../../src/motion/expression-basis.ts';
import { generateMotion } from '../../src/motion/generate-motion.ts';
import { MESH_VALUES } from '../../src/motion/motion.ts';
import { parseMotionConfig } from '../../src/motion/motion-config.ts';
import { buildMotionNetwork } from '../../src/motion/motion-network.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { type HeldOutSpeech, listHeldOutVoices, type Phone } from '../lib/held-out.ts';
import { formatNumber, markdownTable } from '../lib/markdown-table.ts';
import { breaths, coughs, pauseWith, speechLevel } from '../lib/other-sounds.ts';
import {
  closures,
  measurePhones,
  partedOpenings,
  phoneTargets,
  vowelOpenings,
} from '../lib/phone-openings.ts';
import { parseSyntheticPhones } from '../lib/synthetic-phones.ts';
import { percentile } from '../lib/talk-statistics.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    spoken: { type: 'string' },
    data: { type: 'string' },
    sounds: { type: 'string' },
    bundle: { type: 'string', default: 'tiny' },
    output: { type: 'string' },
  },
});
if (values.spoken === undefined) {
  console.error(
    'usage: languages.ts --spoken SPOKEN [--data FOLDER] [--sounds SOUNDS] [--bundle NAME] [--output OUT.md]',
  );
  process.exit(2);
}

const SAMPLE_RATE = 16000;
const FPS = 25;
/** Silence around each recording, in seconds, in which the mouth should be closed. */
const AROUND = 0.5;
/** Lips nearer than this look closed, in cm. */
const LOOKS_CLOSED = 0.1;
const LAG_REACH = 5;
/** Seconds of noise, and at most of a sound. */
const NOISE = 4;
const LONGEST_SOUND = 30;
/** Root mean square of noise. */
const NOISE_LEVEL = 0.02;
/** Seconds of a pause in speech, and what of it counts from either end. */
const PAUSE = 1.5;
const PAUSE_EDGE = 0.2;
/** At most of the speech around it. */
const AROUND_PAUSE = 4;

interface Voice {
  readonly language: string;
  readonly name: string;
  readonly utterances: HeldOutSpeech[];
}

interface Measures {
  /** One after another. */
  readonly openings: number[];
  readonly targets: number[];
  readonly silence: number[];
  readonly closed: number[];
  /** At other consonants. */
  readonly parted: number[];
  readonly vowels: number[];
  /** In the middle of each vowel, and of those that stand next to no P, B or M. */
  readonly vowelMiddles: number[];
  readonly freeVowels: number[];
}

async function listSynthetic(folder: string): Promise<Voice[]> {
  const voices = new Map<string, Voice>();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.wav')).sort()) {
    const found = /^(.+)-([^-]+)-\d+\.wav$/.exec(file);
    if (found === null) throw new Error(`${file} is not named LANGUAGE-VOICE-N.wav`);
    const [, language, name] = found as unknown as [string, string, string];
    const key = `${language}-${name}`;
    if (!voices.has(key)) voices.set(key, { language, name: name.replaceAll('_', ' '), utterances: [] });
    const text = await readFile(path.join(folder, file.replace(/wav$/, 'phn')), 'utf8');
    voices
      .get(key)!
      .utterances.push({ name: file, path: path.join(folder, file), phones: parseSyntheticPhones(text) });
  }
  return [...voices.values()];
}

function shifted(phones: readonly Phone[], length: number): Phone[] {
  const spoken = phones.map(({ start, end, name }) => ({ start: start + AROUND, end: end + AROUND, name }));
  const [first, last] = [spoken[0]!.start, spoken.at(-1)!.end];
  return [{ start: 0, end: first, name: 'SIL' }, ...spoken, { start: last, end: length, name: 'SIL' }];
}

const ffmpeg = await locateFfmpeg({ env: process.env });
const { description, folder, pathOf } = await openBundle(values.bundle);
const config = parseMotionConfig(description.motion, folder);
const weights = openSafetensors(pathOf('motion'));
const basis = loadExpressionBasis(weights);
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const network = await engine.load('motion', buildMotionNetwork({ config, weights }).toBytes());

/** By frame, in cm, of a mouth that is closed at rest; its lips do not pass through each other. */
async function openingsOf(pcm: Float32Array): Promise<number[]> {
  const frames = Math.floor((pcm.length / SAMPLE_RATE) * FPS);
  const motion = await generateMotion({ network, config, basis, pcm, frames, fps: FPS });
  return Array.from({ length: frames }, (_, frame) =>
    Math.max(0, lipGap(motion.offsets.subarray(frame * MESH_VALUES, (frame + 1) * MESH_VALUES))),
  );
}

/** Noise whose power is the same at all frequencies, or falls by half with each octave. */
function noise(falling: boolean): Float32Array {
  const out = new RandomStream([1, falling ? 1 : 0]).fillNormal(new Float32Array(NOISE * SAMPLE_RATE));
  if (falling) {
    // Poles and gains of three low passes and a rest: within 0.5 dB of pink. Source: Paul Kellet's economy method.
    let [low, middle, high] = [0, 0, 0];
    out.forEach((white, i) => {
      low = 0.99765 * low + 0.099046 * white;
      middle = 0.963 * middle + 0.2965164 * white;
      high = 0.57 * high + 1.0526913 * white;
      out[i] = low + middle + high + 0.1848 * white;
    });
  }
  const size = Math.sqrt(mean([...out].map((value) => value * value)));
  return out.map((value) => (value * NOISE_LEVEL) / size);
}

/** A row for each sound in which nobody speaks: openings in mm. */
async function measureSounds(sounds: string | undefined): Promise<string[][]> {
  const heard: [string, () => Promise<Float32Array>][] = [
    ['digital silence', async () => new Float32Array(NOISE * SAMPLE_RATE)],
    ['white noise', async () => noise(false)],
    ['pink noise', async () => noise(true)],
    ['breaths', async () => breaths(NOISE, 1).map((value) => value * NOISE_LEVEL)],
    ['coughs', async () => coughs(NOISE, 1).map((value) => value * NOISE_LEVEL)],
    ...(sounds === undefined ? [] : (await readdir(sounds)).sort()).map(
      (file): [string, () => Promise<Float32Array>] => [
        path.parse(file).name.replaceAll(/[-_]/g, ' '),
        async () => (await readAudio(path.join(sounds!, file), { ffmpeg, sampleRate: SAMPLE_RATE })).pcm,
      ],
    ),
  ];
  const rows: string[][] = [];
  for (const [name, read] of heard) {
    const openings = await openingsOf((await read()).subarray(0, LONGEST_SOUND * SAMPLE_RATE));
    rows.push([
      name,
      formatNumber(10 * mean(openings), 1),
      formatNumber(10 * percentile(openings, 0.95), 1),
      shareClosed(openings),
    ]);
  }
  return rows;
}

/** A row for each sound that is heard while a recorded voice pauses: openings in mm in the pause. */
async function measurePauses(voices: readonly Voice[]): Promise<string[][]> {
  const speeches: Float32Array[] = [];
  for (const { utterances } of voices) {
    const { pcm } = await readAudio(utterances[0]!.path, { ffmpeg, sampleRate: SAMPLE_RATE });
    speeches.push(pcm.subarray(0, AROUND_PAUSE * SAMPLE_RATE));
  }
  /** The loudest stretch of the voice after this one's, at a level of 1. */
  const someoneElse = (index: number): Float32Array => {
    const other = speeches[(index + 1) % speeches.length]!;
    const [length, level] = [PAUSE * SAMPLE_RATE, speechLevel(other)];
    const first = Math.max(0, Math.floor((other.length - length) / 2));
    return Float32Array.from({ length }, (_, i) => other[(first + i) % other.length]! / level);
  };
  const heard: [string, number, (index: number) => Float32Array][] = [
    ['nothing', 0, () => new Float32Array(PAUSE * SAMPLE_RATE)],
    ['breaths', -10, (index) => breaths(PAUSE, index)],
    ['breaths', -20, (index) => breaths(PAUSE, index)],
    ['coughs', 6, (index) => coughs(PAUSE, index)],
    ['coughs', -6, (index) => coughs(PAUSE, index)],
    ...[-12, -16, -20].map((decibels): [string, number, typeof someoneElse] => [
      'somebody else',
      decibels,
      someoneElse,
    ]),
  ];
  const rows: string[][] = [];
  for (const [name, decibels, make] of heard) {
    const openings: number[] = [];
    for (const [index, speech] of speeches.entries()) {
      const { pcm, start, end } = pauseWith(speech, make(index), decibels);
      const [first, last] = [start + PAUSE_EDGE, end - PAUSE_EDGE].map((time) => Math.ceil(time * FPS));
      openings.push(...(await openingsOf(pcm)).slice(first, last));
    }
    rows.push([
      name,
      name === 'nothing' ? '–' : `${decibels} dB`,
      formatNumber(10 * mean(openings), 1),
      formatNumber(10 * percentile(openings, 0.95), 1),
      shareClosed(openings),
    ]);
  }
  return rows;
}

async function measure({ utterances }: Voice): Promise<Measures> {
  const all: Measures = {
    openings: [],
    targets: [],
    silence: [],
    closed: [],
    parted: [],
    vowels: [],
    vowelMiddles: [],
    freeVowels: [],
  };
  for (const { path: file, phones } of utterances) {
    const { pcm: speech } = await readAudio(file, { ffmpeg, sampleRate: SAMPLE_RATE });
    const pcm = new Float32Array(speech.length + 2 * AROUND * SAMPLE_RATE);
    pcm.set(speech, AROUND * SAMPLE_RATE);
    const duration = pcm.length / SAMPLE_RATE;
    const frames = Math.floor(duration * FPS);
    const openings = await openingsOf(pcm);
    const spoken = shifted(phones!, duration);
    const measured = measurePhones(openings, FPS, spoken);
    all.openings.push(...openings);
    all.targets.push(...phoneTargets(frames, FPS, spoken));
    all.silence.push(measured.silence);
    all.closed.push(...closures(openings, FPS, spoken));
    all.parted.push(...partedOpenings(openings, FPS, spoken));
    all.vowels.push(measured.vowels);
    const vowels = vowelOpenings(openings, FPS, spoken);
    all.vowelMiddles.push(...vowels.map(({ opening }) => opening));
    all.freeVowels.push(...vowels.filter(({ nextToClosed }) => !nextToClosed).map(({ opening }) => opening));
  }
  return all;
}

function shareClosed(gaps: readonly number[]): string {
  return `${gaps.filter((gap) => gap < LOOKS_CLOSED).length} of ${gaps.length}`;
}

function row({ language, name, utterances }: Voice, found: Measures): string[] {
  const closed = found.closed.filter(Number.isFinite);
  return [
    language,
    name,
    `${utterances.length}`,
    formatNumber(correlation(found.targets, found.openings), 2),
    formatNumber(bestLag(found.targets, found.openings, LAG_REACH), 0),
    formatNumber(10 * mean(found.silence), 1),
    formatNumber(10 * mean(closed), 1),
    shareClosed(closed),
    shareClosed(found.parted),
    shareClosed(found.vowelMiddles),
    formatNumber(10 * mean(found.vowels), 1),
  ];
}

try {
  const synthetic = await listSynthetic(values.spoken);
  const recorded = values.data === undefined ? [] : await listHeldOutVoices(values.data);
  const recordedVoices = recorded.map(({ speaker, language, speech }) => ({
    language,
    name: speaker,
    utterances: speech,
  }));
  const rows: string[][] = [];
  const languages = new Map<string, Measures>();
  for (const voice of [...recordedVoices, ...synthetic]) {
    const found = await measure(voice);
    rows.push(row(voice, found));
    const all = languages.get(voice.language.slice(0, 2)) ?? {
      ...found,
      closed: [],
      parted: [],
      vowelMiddles: [],
      freeVowels: [],
    };
    languages.set(voice.language.slice(0, 2), all);
    for (const kind of ['closed', 'parted', 'vowelMiddles', 'freeVowels'] as const)
      all[kind].push(...found[kind]);
    console.error(rows.at(-1)!.join('  '));
  }
  const table = markdownTable(
    [
      'Language',
      'voice',
      'utterances',
      'r',
      'lag',
      'silence',
      'P B M',
      'closed',
      'others closed',
      'vowels closed',
      'vowels',
    ],
    rows,
  );
  const byLanguage = markdownTable(
    ['Language', 'P B M closed', '', 'other consonants closed', 'vowels closed', 'of these away from P B M'],
    [...languages].map(([language, { closed, parted, vowelMiddles, freeVowels }]) => {
      const known = closed.filter(Number.isFinite);
      const share = (gaps: readonly number[]): string =>
        `${formatNumber((100 * gaps.filter((gap) => gap < LOOKS_CLOSED).length) / gaps.length, 1)} %`;
      return [
        language,
        shareClosed(known),
        share(known),
        share(parted),
        share(vowelMiddles),
        share(freeVowels),
      ];
    }),
  );
  const sounds = markdownTable(
    ['Nobody speaks', 'opening', '95 %', 'frames closed'],
    await measureSounds(values.sounds),
  );
  const pauses =
    recordedVoices.length < 2
      ? ''
      : markdownTable(
          ['While a voice pauses', 'louder by', 'opening', '95 %', 'frames closed'],
          await measurePauses(recordedVoices),
        );
  const text = `# Other voices and languages

The motion of bundle ${values.bundle} at ${FPS} frames a second for a mouth that is closed at rest, ${new Date().toISOString().slice(0, 10)}: what the mesh is driven to, before
anything is drawn. Made by

    python3 scripts/bench/speak-languages.py SPOKEN
    node --import=tsx scripts/bench/languages.ts --spoken SPOKEN${values.data === undefined ? '' : ' --data FOLDER'}${values.sounds === undefined ? '' : ' --sounds SOUNDS'} --output scripts/results/languages.md

${table}

${byLanguage}

${sounds}

${pauses}

- **r**: correlation of the opening of the inner lips with what the phones say: 1 in vowels, 0 in silence and at sounds with closed
  lips; other sounds do not count. Wanted: ≥ 0.6. **Lag** in frames: the shift at which it is highest.
- **Silence, P B M, vowels**: mean opening in mm; at sounds with closed lips the least within 40 ms of the sound. **Closed**: how many
  of these sounds come nearer than ${10 * LOOKS_CLOSED} mm, where lips look closed. **Others closed**: the same of the middles of
  other consonants that stand next to none of these and no pause; few are wanted. **Vowels closed**: the same of the middles of vowels; at most
  3 % are wanted. Espeak-ng ends a vowel where a stop is released, so that the middle of a short one before P or B may lie in the
  closure: those that stand next to none of the three are counted by themselves, too.
- Half a second of silence is put before and after each recording. **Nobody speaks**: openings in mm; at most 0.3 are wanted. Breaths
  and coughs are made up; alone, they are made as loud as speech is. **While a voice pauses**: the recorded voices, each with a pause of ${PAUSE} s, in which
  breaths, coughs or the next of these voices are heard, by so much louder than the voice; the first and last ${PAUSE_EDGE} s do not count.
`;
  await writeReport(values.output, text.trimEnd().split('\n'));
} finally {
  weights.dispose();
  await network.dispose();
  await engine.dispose();
}
