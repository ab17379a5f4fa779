/** `bench --profile` as a program, with the embedded bundle and a recording of a few frames. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { ProfileReport } from '../../src/index.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { ROOT, runProgram } from '../helpers/run-program.ts';

const SPEECH = path.join(ROOT, 'assets/speech/welcome.wav');
const skip = existsSync(SPEECH) ? false : `not there: ${SPEECH}`;
const SAMPLE_RATE = 16_000;
/** 5 frames: fewer than a window. */
const DURATION = 0.2;
/** Milliseconds that a clock may be apart: times are written with three decimals of a microsecond. */
const ROUNDING = 1e-5;

interface Event {
  readonly ph: string;
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, string>>;
}

const folder = temporaryDirectory();
// Whatever the program makes on the way is made here.
const temporary = path.join(folder, 'tmp');
mkdirSync(temporary);
const env = { TMPDIR: temporary, TMP: temporary, TEMP: temporary };

test('a job is profiled: a trace of stages, threads and operators, tables, and nothing left behind', {
  skip,
}, async () => {
  const audio = path.join(folder, 'speech.wav');
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const { pcm } = await readAudio(SPEECH, { ffmpeg, sampleRate: SAMPLE_RATE });
  writeFileSync(audio, encodeWav(pcm.slice(0, DURATION * SAMPLE_RATE), SAMPLE_RATE));
  const trace = path.join(folder, 'trace.json');
  const args = [
    'bench',
    '--profile',
    trace,
    '--audio',
    audio,
    '--devices',
    'cpu',
    '--threads',
    '1',
    '--json',
  ];
  const { stdout, stderr, status } = await runProgram(args, { env });
  assert.equal(status, 0, stderr);
  const { report } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { report: ProfileReport };
  assert.deepEqual([report.trace, report.frames, report.steps], [trace, 5, 4]);

  const denoiser = report.networks.find(({ network }) => network === 'denoising-unet')!;
  assert.deepEqual([denoiser.engine, denoiser.runs], ['denoising engine', 4]);
  const inOperators = denoiser.operators.reduce((sum, { seconds }) => sum + seconds, 0);
  assert.ok(Math.abs(denoiser.seconds - denoiser.between - inOperators) < 1e-6);
  assert.ok(
    denoiser.between > 0 && inOperators > 0.5 * denoiser.seconds,
    `${inOperators} of ${denoiser.seconds}`,
  );
  for (const network of ['pose-guider', 'decoder', 'reference-unet']) {
    assert.ok(report.networks.some((each) => each.network === network && each.engine === 'side engine'));
  }

  const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as { traceEvents: Event[] };
  const rowOf = new Map(
    traceEvents
      .filter(({ name }) => name === 'thread_name')
      .map(({ pid, tid, args: { name } }) => [`${pid} ${tid}`, name!]),
  );
  const spans = traceEvents.filter(({ ph }) => ph === 'X');
  for (const { ts, dur } of spans) assert.ok(ts >= 0 && dur >= 0, `${ts} ${dur}`);
  const inRow = (row: string) => spans.filter(({ pid, tid }) => rowOf.get(`${pid} ${tid}`) === row);
  assert.equal(inRow('denoising engine').filter(({ cat }) => cat === 'run').length, 4);
  for (const row of ['stage denoise', 'side engine', 'frame thread', 'face and motion engine', 'encoder']) {
    assert.ok(inRow(row).length > 0, `${row} is empty`);
  }
  // Viewers draw a row as a stack: what begins within a span must end within it.
  for (const row of new Set(rowOf.values())) {
    const open: number[] = [];
    for (const { ts, dur } of inRow(row).sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
      while (open.length > 0 && open.at(-1)! <= ts + ROUNDING) open.pop();
      assert.ok(open.length === 0 || ts + dur <= open.at(-1)! + ROUNDING, `${row} at ${ts}`);
      open.push(ts + dur);
    }
  }
  // Every operator lies in a run of its network, and there are as many as the tables say.
  const calls = report.networks
    .flatMap(({ operators }) => operators)
    .reduce((sum, each) => sum + each.calls, 0);
  assert.equal(spans.filter(({ cat }) => cat === 'operator').length, calls);
  const runs = inRow('denoising engine').filter(({ cat }) => cat === 'run');
  for (const { cat, ts, dur } of inRow('denoising engine')) {
    if (cat !== 'operator') continue;
    assert.ok(runs.some((run) => run.ts <= ts + ROUNDING && ts + dur <= run.ts + run.dur + ROUNDING));
  }
  assert.deepEqual(
    readdirSync(temporary).filter((name) => name.startsWith('lcm-portrait')),
    [],
  );
  assert.deepEqual(readdirSync(folder).sort(), ['speech.wav', 'tmp', 'trace.json']);
});

test('a trace is not overwritten, and flags that do not fit are named, before anything is computed', async () => {
  const trace = path.join(folder, 'kept.json');
  writeFileSync(trace, 'kept');
  const taken = await runProgram(['bench', '--profile', trace], { env });
  assert.notEqual(taken.status, 0);
  assert.match(taken.stderr, /Cannot write trace .*kept\.json: expected a new file.*--force/s);
  assert.equal(readFileSync(trace, 'utf8'), 'kept');

  const wrong = await runProgram(['bench', '--profile', 't.json', '--frames', '4', '--threads', '0'], {
    env,
  });
  assert.match(wrong.stderr, /Cannot use --frames: expected none together with --profile, got 4/);
  assert.match(wrong.stderr, /--threads/);
  const alone = await runProgram(['bench', '--portrait', 'face.jpg'], { env });
  assert.match(alone.stderr, /Cannot use --portrait: expected it together with --profile, got face\.jpg/);
});
