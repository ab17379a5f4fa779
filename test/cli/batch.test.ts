import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { renderOverview } from '../../src/cli/batch-display.ts';
import type { JobReport } from '../../src/jobs/batch-events.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { moduleFile, runProgram, startProgram } from '../helpers/run-program.ts';

const entry = moduleFile('test/cli/fixtures/fake-main.ts');
const root = temporaryDirectory();
const run = (...args: string[]) => runProgram(args, { entry });
let folders = 0;

/** A manifest of jobs whose portraits have these names. */
function manifestOf(...portraits: string[]): string {
  const folder = path.join(root, String(folders++));
  mkdirSync(folder);
  writeFileSync(path.join(folder, 's.wav'), 'speech');
  for (const name of portraits) writeFileSync(path.join(folder, `${name}.jpg`), name);
  const file = path.join(folder, 'jobs.yaml');
  writeFileSync(file, portraits.map((name) => `- {portrait: ${name}.jpg, audio: s.wav}\n`).join(''));
  return file;
}

test('videos on stdout, a line for each job on stderr, status 0; run again, nothing is left to do', async () => {
  const file = manifestOf('a', 'b');
  const { stdout, stderr, status } = await run('batch', file);
  assert.equal(status, 0, stderr);
  const folder = path.dirname(file);
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(lines.slice(0, 2), [`${folder}/a-s.mp4`, `${folder}/b-s.mp4`]);
  assert.match(lines[2]!, /^jobs\.yaml: 2 done; took \d/);
  assert.match(
    stderr,
    /^lcm-portrait: a-s\.mp4: done in .* \(1 of 2.*\)\nlcm-portrait: b-s\.mp4: done .*\(2 of 2\)\n$/,
  );
  const again = await run('batch', file, '--quiet');
  assert.match(again.stdout, /jobs\.yaml: 2 done \(2 before this run\); took/);
  assert.equal(again.stderr, '');
});

test('a job that fails: its reason, the others go on, and a status of its own', async () => {
  const { stdout, stderr, status } = await run('batch', manifestOf('a', 'no-face', 'c'));
  assert.equal(status, 11);
  assert.match(stderr, /no-face-s\.mp4: failed: no <face> here/);
  assert.match(stdout, /jobs\.yaml: 2 done, 1 failed; took/);
});

test('--json: events, then the report', async () => {
  const { stdout, status, stderr } = await run('batch', manifestOf('a', 'no-face'), '--json');
  assert.deepEqual([status, stderr], [11, '']);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(events[0].type, 'batch');
  const { type, report } = events.at(-1);
  assert.deepEqual(
    [type, report.formatVersion, report.state, report.counts.failed],
    ['report', 1, 'partial', 1],
  );
  assert.equal(report.jobs[1].failures[0].code, 'FACE');
});

test('a manifest that is wrong: a line for each problem, status 10', async () => {
  const file = manifestOf('a');
  writeFileSync(file, '- {portrait: a.jpg, audio: s.wav, stps: 3}\n- {portrait: b.jpg, audio: s.wav}\n');
  const { stdout, stderr, status } = await run('batch', file);
  assert.deepEqual([status, stdout], [10, '']);
  assert.equal(
    stderr.replaceAll(path.dirname(file), ''),
    'lcm-portrait: error: /jobs.yaml: line 1: cannot use stps: expected a key of a job, got an unknown name; did you mean steps?\n' +
      'lcm-portrait: error: /jobs.yaml: line 2: cannot read portrait b.jpg: expected a file, got nothing at this path\n',
  );
});

test('options that are wrong are reported at once', async () => {
  const { stderr, status } = await run(
    ...['batch', '--threads', '0', '--concurrency', 'x', '--device', 'gpu', '--shared', 'y', '--fail-fast'],
    ...['--keep-going', '--retry-dely', '1'],
  );
  assert.equal(status, 2);
  for (const wanted of [
    /--threads: expected an integer from 1 to 256, got 0/,
    /--concurrency: expected an integer from 1 to 64, got "x"/,
    /--device: expected auto, cpu.* got "gpu"/,
    /--shared: expected it together with --queue, got it alone/,
    /--fail-fast: expected it without --keep-going/,
    /--retry-dely.*did you mean --retry-delay/,
  ]) {
    assert.match(stderr, wanted);
  }
  assert.equal((await run('batch')).status, 2);
  assert.match((await run('worker')).stderr, /without --queue/);
});

test('--dry-run prints jobs and sums', async () => {
  const { stdout, stderr, status } = await run('batch', manifestOf('a'), '--dry-run');
  assert.equal(status, 11, 'one of the jobs cannot be done');
  assert.equal(stderr, 'lcm-portrait: note: a note\n');
  assert.equal(
    stdout,
    'a.mp4       done already\nlong/b.mp4  2.0 s, 50 frames, takes about 9.0 s\nc.mp4       cannot be done: no face\n\n' +
      'jobs      1 to do, 1 done already, 1 with problems\nframes    50\ntime      about 9.0 s on cpu\n' +
      'disk      about 120 kB for videos, at most 9.0 MB for checkpoints\n',
  );
});

test('Ctrl-C ends the batch with its status, and says that checkpoints are kept', async () => {
  const { child, result } = startProgram(['batch', manifestOf('endless'), '--json'], { entry });
  await new Promise<void>((resolve) => {
    child.stdout!.on('data', (text: string) => text.includes('"progress"') && resolve());
  });
  child.kill('SIGINT');
  const { status, stderr } = await result;
  assert.equal(status, 130);
  assert.match(
    stderr,
    /stopping, checkpoints are kept; again to end at once\nlcm-portrait: stopped by SIGINT\n$/,
  );
});

test('dead letters with their reasons', async () => {
  const { stdout, status } = await run('worker', '--queue', 'redis://x', '--dead-letters');
  assert.deepEqual([status, stdout], [0, 'a.mp4: no face\n']);
});

test('the overview: sums first, then the jobs in hand, within the width of the terminal', () => {
  const job = (index: number, state: JobReport['state'], name = `job-${index}.mp4`): JobReport => ({
    ...{ index, name, state, portrait: 'p', audio: 'a', output: 'o', reused: false, attempts: 1 },
    ...{ failures: [], waitSeconds: 0, seconds: 1, resumedFrames: 0 },
  });
  const progress = new Map([
    [
      1,
      {
        type: 'progress' as const,
        ...{ job: 1, framesDone: 5, framesTotal: 10, stepsDone: 5, stepsTotal: 10, framesPerSecond: 2.5 },
        ...{ fraction: 0.5, batchFraction: 0.3 },
      },
    ],
  ]);
  const jobs = [
    job(0, 'done'),
    job(1, 'rendering'),
    job(2, 'preparing'),
    job(3, 'waiting'),
    job(4, 'failed'),
  ];
  const lines = renderOverview(jobs, progress, 90, 200);
  assert.deepEqual(lines, [
    '1 of 5 videos, about 1 min 30 s left: 1 done, 1 rendering, 1 preparing, 1 failed, 1 waiting',
    `  ${'job-1.mp4'.padEnd(32)}  ${'█'.repeat(12)}${'░'.repeat(12)}  50 %  5/10 frames  2.5 frames/s`,
    `  ${'job-2.mp4'.padEnd(32)}  preparing`,
  ]);
  assert.ok(renderOverview(jobs, progress, 90, 40).every((line) => line.length < 40));
  const many = Array.from({ length: 30 }, (_, i) => job(i, 'ready'));
  assert.ok(renderOverview(many, new Map(), undefined, 80).length <= 10);
  const over = [job(0, 'done'), job(1, 'failed')];
  assert.deepEqual(renderOverview(over, new Map(), 90, 200), ['1 of 2 videos: 1 done, 1 failed']);
});
