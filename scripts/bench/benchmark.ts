/**
 * Speed and memory of the whole job with the sample portrait and speech, as a user runs it.
 *
 *   npm run build && node --import=tsx scripts/bench/benchmark.ts [--quick] [--original] [--threads N] [--output scripts/results/benchmark.md]
 *
 * Renders 10 s of speech with the preset fast, plain and in other ways, and 60 s; with --original 3 s with the preset
 * original; with --quick 3 s alone.
 */
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import type { StageTimes } from '../../src/pipeline/animate-options.ts';
import { formatNumber, markdownTable } from '../lib/markdown-table.ts';
import { BUILT_COMMAND, type TimedJob, timeJob } from '../lib/time-job.ts';
import { encodeWav } from '../lib/wav.ts';
import { writeReport } from '../lib/write-report.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    original: { type: 'boolean', default: false },
    threads: { type: 'string' },
    portrait: { type: 'string', default: 'assets/portraits/ada.jpg' },
    output: { type: 'string' },
  },
});

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SPEECH = path.join(ROOT, 'assets', 'speech');
const SAMPLE_RATE = 16000;
const SHORT = 10;
const LONG = 60;
const QUICK = 3;
const STAGES: readonly Exclude<keyof StageTimes, 'total'>[] = [
  'prepare',
  'motion',
  'load',
  'reference',
  'pose',
  'denoise',
  'decode',
  'encode',
];

/** Stages whose work grows with the clip; the others come once. */
const PER_FRAME: ReadonlySet<keyof StageTimes> = new Set(['pose', 'denoise', 'decode', 'encode']);

/** Other ways, which trade time for the picture; `compare` shows how much. */
const OTHERS: readonly Setting[] = [
  { title: 'float32', flags: ['--precision', 'float32'] },
  { title: 'every 2nd frame', flags: ['--denoise-every', '2'] },
  { title: 'preset faster', flags: ['--preset', 'faster'] },
];

interface Setting {
  readonly title: string;
  readonly flags: readonly string[];
}

interface Run extends TimedJob {
  readonly preset: string;
  readonly seconds: number;
  readonly setting: Setting;
}

/** The sample recordings one after another, over and over. */
async function readSpeech(): Promise<Float32Array> {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const pieces: Float32Array[] = [];
  for (const name of (await readdir(SPEECH)).sort()) {
    if (!/\.(wav|flac)$/.test(name)) continue;
    pieces.push((await readAudio(path.join(SPEECH, name), { ffmpeg, sampleRate: SAMPLE_RATE })).pcm);
  }
  const speech = new Float32Array(LONG * SAMPLE_RATE);
  for (let filled = 0, i = 0; filled < speech.length; i++) {
    const piece = pieces[i % pieces.length]!;
    speech.set(piece.subarray(0, speech.length - filled), filled);
    filled += piece.length;
  }
  return speech;
}

/** `LCM 4 steps, 10 s` */
function titleOf({ result, seconds, setting: { title } }: Run): string {
  const guidance = result.guidance > 1 ? `, guidance ${result.guidance}` : '';
  return `${result.sampler.toUpperCase()} ${result.steps} steps${guidance}${title === '' ? '' : `, ${title}`}, ${seconds} s`;
}

function overviewTable(runs: readonly Run[]): string {
  return markdownTable(
    ['', 'frames', 'time, s', 'frames/s', 'time / duration', 'peak memory, MB'],
    runs.map((run) => [
      titleOf(run),
      String(run.result.frames),
      formatNumber(run.wall, 1),
      formatNumber(run.result.frames / run.wall, 2),
      formatNumber(run.wall / run.result.duration, 2),
      formatNumber(run.peakBytes / 1e6, 0),
    ]),
  );
}

function stageTable(runs: readonly Run[]): string {
  const cells = ({ result: { frames, times } }: Run, stage: keyof StageTimes): string[] => [
    formatNumber(times[stage], 1),
    PER_FRAME.has(stage) ? formatNumber(frames / times[stage], frames / times[stage] < 100 ? 1 : 0) : '–',
  ];
  return markdownTable(
    ['Stage', ...runs.flatMap((run) => [`${titleOf(run)}: s`, 'frames/s'])],
    STAGES.map((stage) => [stage, ...runs.flatMap((run) => cells(run, stage))]),
  );
}

async function versionOf(name: string): Promise<string> {
  const manifest = path.join(ROOT, 'node_modules', name, 'package.json');
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version;
}

async function report(runs: readonly Run[]): Promise<string> {
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const { width, height } = runs[0]!.result;
  const isPlain = ({ flags }: Setting): boolean => flags.length === 0;
  const short = runs.find(
    ({ preset, seconds, setting }) => isPlain(setting) && preset === 'fast' && seconds === SHORT,
  );
  const long = runs.find(
    ({ preset, seconds, setting }) => isPlain(setting) && preset === 'fast' && seconds === LONG,
  );
  const ratio =
    short === undefined || long === undefined
      ? ''
      : `\nThe ${LONG} s clip's peak is ${formatNumber(long.peakBytes / short.peakBytes, 2)} times the ${SHORT} s clip's.\n`;
  return `# Benchmark

${processor}, ${cpus().length} cores, ${formatNumber(totalmem() / 1e9, 0)} GB; Node ${process.versions.node}, onnxruntime-node ${await versionOf('onnxruntime-node')}, device ${runs[0]!.result.device}${
    values.threads === undefined ? '' : `, threads: ${values.threads}`
  }; ${new Date().toISOString().slice(0, 10)}.
The networks work at 256×256, pasted back into a portrait of ${width}×${height}. Made by

    npm run build && node --import=tsx scripts/bench/benchmark.ts${values.quick ? ' --quick' : ''}${values.original ? ' --original' : ''} --output scripts/results/benchmark.md

From the start of the process to its end; wanted: 3 frames/s with LCM 4 steps, less than 1500 MB, and a ${LONG} s clip within
10 % of a ${SHORT} s clip's memory. Memory is the largest resident size of the process; ffmpeg, a process of its own, is not in it.

${overviewTable(runs)}
${ratio}
Time by stage. Stages overlap (frames are decoded and encoded while the next are denoised), so they add up to more than the
whole.

${stageTable(runs)}
`;
}

await access(BUILT_COMMAND).catch(() => {
  console.error(
    `Cannot measure: expected ${path.relative(ROOT, BUILT_COMMAND)}, got none; run npm run build`,
  );
  process.exit(2);
});
const folder = await mkdtemp(path.join(tmpdir(), 'lcm-portrait-benchmark-'));
try {
  const speech = await readSpeech();
  const plain: Setting = { title: '', flags: [] };
  const jobs = [
    { preset: 'fast', seconds: values.quick ? QUICK : SHORT, setting: plain },
    ...(values.quick ? [] : OTHERS.map((setting) => ({ preset: 'fast', seconds: SHORT, setting }))),
    ...(values.quick ? [] : [{ preset: 'fast', seconds: LONG, setting: plain }]),
    ...(values.original ? [{ preset: 'original', seconds: QUICK, setting: plain }] : []),
  ];
  const runs: Run[] = [];
  for (const { preset, seconds, setting } of jobs) {
    const audio = path.join(folder, `speech-${seconds}.wav`);
    await writeFile(audio, encodeWav(speech.subarray(0, seconds * SAMPLE_RATE), SAMPLE_RATE));
    const args = ['--portrait', path.resolve(ROOT, values.portrait), '--audio', audio, '--preset', preset];
    args.push(...setting.flags);
    if (values.threads !== undefined) args.push('--threads', values.threads);
    const run = { ...(await timeJob({ args, folder })), preset, seconds, setting };
    console.error(
      `${titleOf(run)}: ${formatNumber(run.wall, 1)} s, ${formatNumber(run.peakBytes / 1e6, 0)} MB`,
    );
    runs.push(run);
  }
  const text = await report(runs);
  await writeReport(values.output, text.trimEnd().split('\n'));
} finally {
  await rm(folder, { recursive: true, force: true });
}
