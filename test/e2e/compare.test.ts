/** Comparison and benchmark as programs, with the embedded networks at half their resolution and presets of few steps. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { CompareReport } from '../../src/index.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { ROOT, runProgram, startProgram } from '../helpers/run-program.ts';

const PORTRAIT = path.join(ROOT, 'assets/portraits/ada.jpg');
const SPEECH = path.join(ROOT, 'assets/speech/welcome.wav');
const TINY = path.join(ROOT, 'assets/bundles/tiny');
const missing = [PORTRAIT, SPEECH, path.join(TINY, 'bundle.json')].filter((file) => !existsSync(file));
const skip = missing.length > 0 ? `not there: ${missing.join(', ')}` : false;
const SAMPLE_RATE = 16_000;
/** 5 frames: fewer than a window. */
const DURATION = 0.2;

const folder = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });
const audio = path.join(folder, 'speech.wav');
const bundle = path.join(folder, 'quick');
if (!skip) {
  const { pcm } = await readAudio(SPEECH, { ffmpeg, sampleRate: SAMPLE_RATE });
  writeFileSync(audio, encodeWav(pcm.slice(0, DURATION * SAMPLE_RATE), SAMPLE_RATE));
  mkdirSync(bundle);
  for (const name of readdirSync(TINY)) cpSync(path.join(TINY, name), path.join(bundle, name));
  const description = JSON.parse(readFileSync(path.join(TINY, 'bundle.json'), 'utf8'));
  description.name = 'quick';
  description.resolution = 128;
  description.presets.original.steps = 2;
  description.presets.fast.steps = 1;
  writeFileSync(path.join(bundle, 'bundle.json'), JSON.stringify(description));
}

function job(output: string, ...more: string[]): string[] {
  return [
    ...['compare', '--portrait', PORTRAIT, '--audio', audio, '--bundle', bundle],
    ...['--output', output, '--device', 'cpu', '--threads', '1', ...more],
  ];
}

function readReport(output: string): CompareReport {
  return JSON.parse(readFileSync(path.join(output, 'report.json'), 'utf8'));
}

test('the presets are compared: report, page and videos, with equal output of the exact savings', {
  skip,
}, async () => {
  const output = path.join(folder, 'new', 'report');
  const args = job(output, '--repeats', '1', '--with', 'sampler=dpmpp,steps=1', '--whole-job');
  const { stdout, stderr, status } = await runProgram(args);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /note: the clip has 5 frames, fewer than a window of 12/);
  const lines = stdout.split('\n');
  assert.equal(lines[0], path.join(output, 'report.html'));
  assert.match(
    lines[1]!,
    /^LCM, 1 step, moving windows(, int8)? denoises .*× faster than DDIM, 2 steps, guidance 3\.5 and is /,
  );
  assert.deepEqual(readdirSync(output).sort(), ['report.html', 'report.json', 'side-by-side.mp4', 'videos']);

  const report = readReport(output);
  assert.deepEqual([report.schema, report.schemaVersion, report.complete], ['lcm-portrait/compare', 1, true]);
  const ids = ['fast', 'dpmsolver-1-g3.5', 'original', 'original-as-published'];
  assert.deepEqual(
    report.variants.map(({ id, denoiserEvaluations, repeats }) => [id, denoiserEvaluations, repeats]),
    ids.map((id, i) => [id, [1, 2, 4, 4][i], 1]),
  );
  assert.deepEqual(readdirSync(path.join(output, 'videos')).sort(), ids.map((id) => `${id}.mp4`).sort());
  for (const { times, run, wholeJob, limitShare, mouth } of report.variants) {
    assert.ok(times.denoise.median > 0 && times.encode.median > 0 && run.median > 0 && wholeJob!.count === 1);
    assert.ok(limitShare > 0 && Math.abs(mouth.lag) <= 5);
    const parts = Object.entries(times).filter(([stage]) => stage !== 'total');
    const sum = parts.reduce((total, [, { min }]) => total + min, 0);
    assert.ok(times.total.max >= sum - 1e-9);
  }
  const find = (of: string, against: string) =>
    report.comparisons.find((item) => item.of === of && item.against === against)!;
  const savings = find('original', 'original-as-published');
  assert.ok(savings.largestLatentDifference! < 1e-3, `${savings.largestLatentDifference}`);
  assert.ok(savings.largestLevelDifference <= 1);
  const fast = find('fast', 'original');
  assert.equal(fast.speedUp.evaluations, 4);
  assert.ok(fast.frames.length === 5 && fast.whole.ssim > 0.9 && fast.face.psnr < fast.whole.psnr);

  const page = readFileSync(path.join(output, 'report.html'), 'utf8');
  assert.equal(page.match(/<video src="data:video\/mp4;base64,/g)!.length, 3);
  const { video, audio: sound } = await probeMedia(path.join(output, 'side-by-side.mp4'), { ffmpeg });
  assert.deepEqual([video!.width, video!.height, video!.frames], [1024, 552, 5]);
  assert.ok(sound);

  const again = await runProgram(job(output));
  assert.equal(again.status, 3);
  assert.match(again.stderr, /expected a folder without a report, got one with a report/);
});

/** Starts a comparison that would go on for long, and interrupts it when `ripe` says so. */
async function interrupt(output: string, ripe: (event: Record<string, unknown>) => boolean) {
  const { child, result } = startProgram(job(output, '--repeats', '100', '--json'));
  let rest = '';
  child.stdout!.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    if (lines.some((line) => line !== '' && ripe(JSON.parse(line)))) child.kill('SIGINT');
  });
  return result;
}

test('Ctrl-C keeps what was finished and says so', { skip }, async () => {
  const output = path.join(folder, 'stopped');
  // A round has 9 evaluations; with the tenth, the second has begun.
  const { status, stderr } = await interrupt(
    output,
    ({ type, done }) => type === 'evaluations' && done === 10,
  );
  assert.equal(status, 130, stderr);
  assert.match(stderr, /stopping, what was finished is kept/);
  assert.deepEqual(readdirSync(output).sort(), ['report.html', 'report.json', 'side-by-side.mp4', 'videos']);
  const report = readReport(output);
  assert.equal(report.complete, false);
  assert.deepEqual(
    report.variants.map(({ id }) => id),
    ['fast', 'original', 'original-as-published'],
  );
  // One may end its part of the second round, or of the next, before the program hears of the key.
  for (const { id, repeats } of report.variants)
    assert.ok(repeats >= 1 && repeats < 100, `${id}: ${repeats}`);
});

test('Ctrl-C before anything is finished leaves nothing behind', { skip }, async () => {
  const output = path.join(folder, 'too-early');
  const { status, stderr } = await interrupt(output, ({ stage }) => stage === 'load');
  assert.equal(status, 130, stderr);
  assert.ok(!existsSync(output));
});

test('everything that is wrong with a comparison is reported at once, before anything is made', async () => {
  const output = path.join(folder, 'never');
  const args = `compare --output ${output} --with sampler=magic --sweep steps=0 --repeats 0 --seeed 3`;
  const { status, stderr } = await runProgram(args.split(' '));
  assert.equal(status, 2);
  for (const message of [
    /Cannot use --seeed: .* did you mean --seed\?/,
    /Cannot use --with "sampler=magic": expected sampler to be lcm/,
    /Cannot use --sweep "steps=0": expected steps to be an integer from 1 to 100/,
    /Cannot use --repeats: expected an integer from 1 to 100, got 0/,
    /without --portrait/,
    /without --audio/,
  ]) {
    assert.match(stderr, message);
  }
  assert.ok(!existsSync(output));
});

test('the engine is measured by itself', { skip }, async () => {
  const args =
    'bench --networks portrait-encoder,decoder --frames 1,2 --threads 1 --seconds 0.1 --device cpu';
  const wrong = await runProgram(args.split(' '));
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /Cannot use --device: .* did you mean --devices\?/);
  const { stdout, stderr, status } = await runProgram([
    ...args.replace('--device ', '--devices ').split(' '),
    ...['--precisions', 'auto,float32,float16,int8', '--json'],
  ]);
  assert.equal(status, 0, stderr);
  const { report } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  assert.deepEqual([report.schema, report.schemaVersion, report.bundle], ['lcm-portrait/bench', 1, 'tiny']);
  assert.deepEqual(
    report.rows.map(({ network, frames, threads, precision }: Record<string, unknown>) => [
      ...[network, frames, threads, precision],
    ]),
    [
      ['portrait-encoder', null, 1, 'float32'],
      ['decoder', 1, 1, 'float32'],
      ['decoder', 2, 1, 'float32'],
      ['decoder', 1, 1, 'int8'],
      ['decoder', 2, 1, 'int8'],
    ],
  );
  assert.match(report.notes.join(), /float16 on cpu was left out: the device does not compute in it/);
  assert.equal(report.rows[2].flops, 2 * report.rows[1].flops);
  for (const { achieved, limitShare, run } of report.rows) {
    assert.ok(achieved > 0 && limitShare > 0 && run.count >= 3);
  }
  assert.equal(report.limits.length, 1);

  const half = await runProgram(['bench', '--devices', 'cpu', '--precisions', 'float16', '--quiet']);
  assert.deepEqual([half.status, half.stdout], [7, '']);
  assert.match(
    half.stderr,
    /Cannot measure float16 on cpu: expected a device that computes in it, cuda or webgpu/,
  );
});
