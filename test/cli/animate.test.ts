import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { moduleFile, runProgram, startProgram } from '../helpers/run-program.ts';

const entry = moduleFile('test/cli/fixtures/fake-main.ts');
const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-test-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

/** A command line whose fake job behaves as `portrait` says. */
function job(portrait: string, ...more: string[]): string[] {
  return ['animate', '--portrait', portrait, '--audio', 'a.wav', '--output', 'talk.mp4', ...more];
}

const run = (args: readonly string[], env = {}) => runProgram(args, { entry, env });

test('result on stdout with the path alone on its line, progress as plain lines on stderr', async () => {
  const { stdout, stderr, status } = await run(job('ok', '--seed', '7'));
  assert.equal(status, 0);
  assert.equal(
    stdout,
    'talk.mp4\n0.8 s of video, 512×512, 20 frames at 25 fps; lcm, 4 steps, float32, bundle tiny on cpu; seed 7; ' +
      'took 8.0 s (2.5 frames/s)\n',
  );
  const lines = stderr.trim().split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'lcm-portrait: Reading inputs',
    'lcm-portrait: note: two faces; the larger is taken',
    'lcm-portrait: Rendering',
    'lcm-portrait: Rendering: 10 %, 2/20 frames, 2.5 frames/s, 8 s left',
  ]);
  assert.equal(lines.at(-1), 'lcm-portrait: Finishing the video');
  const tenths = lines.filter((line) => line.includes(' %, '));
  assert.ok(tenths.length >= 5 && tenths.length <= 10, `${tenths.length} lines of progress`);
  assert.match(tenths.at(-1)!, /100 %, 20\/20 frames/);
  assert.ok(!stderr.includes('\x1b') && !stderr.includes('\r'));
});

test('--quiet leaves stderr empty', async () => {
  const { stdout, stderr, status } = await run(job('ok', '--quiet'));
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /^talk\.mp4\n/);
});

test('--json prints one object a line: the events in order, then the result', async () => {
  const { stdout, stderr, status } = await run(job('ok', '--json'));
  assert.deepEqual([status, stderr], [0, '']);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.filter((event) => event.type !== 'frames').map((event) => event.stage ?? event.type),
    ['prepare', 'notice', 'render', 'finish', 'result'],
  );
  assert.equal(events.filter((event) => event.type === 'frames').length, 20);
  assert.equal(events.at(-1).output, 'talk.mp4');
  assert.equal(events.at(-1).times.total, 8);
});

test('--dry-run prints the plan', async () => {
  const text = await run(job('ok', '--dry-run'));
  assert.equal(text.status, 0);
  assert.match(text.stdout, /^video {5}0\.8 s, 512×512, 20 frames at 25 fps$/m);
  assert.match(text.stdout, /^windows {3}2, 8 denoiser evaluations$/m);
  assert.match(text.stdout, /^time {6}about 2 min 05 s, 4 min 00 s of all cores together$/m);
  assert.match(text.stdout, /^memory {4}about 812 MB$/m);
  assert.equal(text.stderr, 'lcm-portrait: note: two faces; the larger is taken\n');
  const lines = (await run(job('ok', '--dry-run', '--json'))).stdout.trimEnd().split('\n');
  const [notice, plan] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([notice.type, plan.type, plan.windows, lines.length], ['notice', 'plan', 2, 2]);
});

test('everything that is wrong with a command line is reported at once, a line each', async () => {
  const args =
    'animate --stps 4 --steps abc --device gpu --seed -1 --fps NaN stray --output a.avi --mouth-scale 4';
  const { stdout, stderr, status } = await run(args.split(' '));
  assert.deepEqual([status, stdout], [2, '']);
  const lines = stderr.trimEnd().split('\n');
  assert.deepEqual(lines, [
    'lcm-portrait: error: Cannot use --stps: expected an option of animate, got an unknown name; did you mean --steps?',
    'lcm-portrait: error: Cannot use "stray": expected options, got a word that belongs to none',
    'lcm-portrait: error: Cannot animate without --portrait: expected the path of a picture with one clear face, got nothing; or give --source',
    'lcm-portrait: error: Cannot animate without --audio: expected the path of a speech recording, got nothing; or give --driving, --motion, --pose-video or --idle',
    'lcm-portrait: error: Cannot use --output: expected the path of the video to write, ending in .mp4, .m4v, .mov, .webm, .gif, .webp, or in / for a folder of PNGs, or - for standard output, got "a.avi"',
    'lcm-portrait: error: Cannot use --fps: expected a number from 1 to 120, got "NaN"',
    'lcm-portrait: error: Cannot use --steps: expected an integer from 1 to 100, got "abc"',
    'lcm-portrait: error: Cannot use --seed: expected an integer from 0 to 2^53 − 1, got -1',
    'lcm-portrait: error: Cannot use --mouth-scale: expected a number from 0 to 3, got 4',
    'lcm-portrait: error: Cannot use --device: expected auto, cpu, cuda, webgpu, coreml or dml, got "gpu"',
    'lcm-portrait: see --help for the options and what they take',
  ]);
});

test('an option without its value is one line', async () => {
  const { stderr, status } = await run(['animate', '--steps']);
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^lcm-portrait: error: Cannot read the command line: option '--steps <n>' argument missing\n/,
  );
});

test('errors of the job: one line, a status for each kind, no stack', async () => {
  const face = await run(job('no-face', '--quiet'));
  assert.deepEqual([face.status, face.stdout], [4, '']);
  assert.equal(
    face.stderr,
    'lcm-portrait: error: Cannot animate no-face: expected a face,; got none; take another\n',
  );
  const bug = await run(job('bug', '--quiet'));
  assert.equal(bug.status, 1);
  assert.match(bug.stderr, /^lcm-portrait: error: TypeError: x is not a function \(.*\)\n$/);
  const crash = await run(job('crash', '--quiet'));
  assert.equal(crash.status, 1);
  assert.match(crash.stderr, /^lcm-portrait: error: RangeError: nobody waits for this \(.*\)\n$/);
});

test('LCM_PORTRAIT_DEBUG adds the stack', async () => {
  const { stderr } = await run(job('bug', '--quiet'), { LCM_PORTRAIT_DEBUG: '1' });
  assert.match(stderr, /\n {4}at .*fake-main\.[jt]s/);
});

test('errors about options of the library are written as flags', async () => {
  const { stderr, status } = await run(job('exists', '--quiet'));
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^lcm-portrait: error: Cannot write talk\.mp4: expected no file in overwrite\/, got one; set --force\n/,
  );
});

test('with --json an error is also an event', async () => {
  const { stdout, stderr, status } = await run(job('no-face', '--json'));
  assert.equal(status, 4);
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  assert.deepEqual([last.type, last.code, last.status, last.messages.length], ['error', 'FACE', 4, 1]);
  assert.match(stderr, /^lcm-portrait: error: /);
});

test('a reader that goes away ends neither the job nor the process with an error', async () => {
  const { child, result } = startProgram(job('ok', '--json'), { entry });
  child.stdout!.destroy();
  const { status, stderr } = await result;
  assert.deepEqual([status, stderr], [0, '']);
});

/** A job that is under way: it has written its output file. */
async function startJob(portrait: string, name: string) {
  const output = path.join(folder, name);
  const args = ['animate', '--portrait', portrait, '--audio', 'a.wav', '--output', output];
  const { child, result } = startProgram(args, { entry });
  while (!existsSync(output) && child.exitCode === null) await sleep(20);
  return { child, result, output };
}

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`${signal} stops the job; the status is ${expected}`, async () => {
    const { child, result } = await startJob('endless', `${signal}.mp4`);
    child.kill(signal);
    const { status, stdout, stderr } = await result;
    assert.deepEqual([status, stdout], [expected, '']);
    assert.match(
      stderr,
      /lcm-portrait: stopping; again to end at once\nlcm-portrait: stopped by SIG[A-Z]+\n$/,
    );
  });
}

test('a second Ctrl-C ends a job that does not stop, after the exit handlers', async () => {
  const { child, result, output } = await startJob('deaf', 'deaf.mp4');
  const begun = new Promise<void>((resolve) => {
    child.stderr!.on('data', (text: string) => text.includes('stopping') && resolve());
  });
  child.kill('SIGINT');
  await begun;
  child.kill('SIGINT');
  const { status, signal } = await result;
  // A shell calls this 130; the job, which takes minutes, has not come to its end.
  assert.deepEqual([status, signal], [null, 'SIGINT']);
  assert.ok(existsSync(`${output}.exit`));
});

test('doctor prints findings with advice, and fails when the main job cannot run', async () => {
  const text = await run(['doctor']);
  assert.equal(text.status, 7);
  assert.equal(
    text.stdout,
    'problem  ffmpeg  nowhere\n                 → install it\n\nNo video can be made here yet: see ffmpeg.\n',
  );
  const json = await run(['doctor', '--json']);
  assert.equal(json.status, 7);
  assert.deepEqual(JSON.parse(json.stdout), {
    type: 'doctor',
    ready: false,
    findings: [{ topic: 'ffmpeg', verdict: 'problem', found: 'nowhere', advice: 'install it' }],
  });
  assert.equal((await run(['doctor', '--jsn'])).status, 2);
});
