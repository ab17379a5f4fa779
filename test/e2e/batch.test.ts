/** Batches of the whole program that are stopped and killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runKillTest } from '../../scripts/lib/kill-batch.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import { noRedis } from '../helpers/requirements.ts';
import { LOADER, MAIN, ROOT, runProgram, startProgram } from '../helpers/run-program.ts';
import { watchLocks } from '../helpers/watch-locks.ts';

const SAMPLE_RATE = 16_000;
const folder = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });
const { pcm } = await readAudio(path.join(ROOT, 'assets/speech/welcome.wav'), {
  ffmpeg,
  sampleRate: SAMPLE_RATE,
});

/** A folder with a portrait and speech of some seconds. */
function newFolder(name: string, seconds: number): string {
  const made = path.join(folder, name);
  mkdirSync(made);
  cpSync(path.join(ROOT, 'assets/portraits/ada.jpg'), path.join(made, 'ada.jpg'));
  writeFileSync(path.join(made, 'speech.wav'), encodeWav(pcm.slice(0, seconds * SAMPLE_RATE), SAMPLE_RATE));
  return made;
}

/** Events of a program with --json, while it runs. */
function eventsOf(child: ChildProcess): readonly { readonly type: string; readonly framesDone?: number }[] {
  const events: { type: string; framesDone?: number }[] = [];
  let rest = '';
  child.stdout!.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    events.push(...lines.map((line) => JSON.parse(line)));
  });
  return events;
}

async function untilFrames(child: ChildProcess, frames: number): Promise<void> {
  const events = eventsOf(child);
  while (!events.some(({ framesDone = 0 }) => framesDone >= frames)) {
    assert.equal(child.exitCode, null, 'still rendering');
    await sleep(20);
  }
}

function ffmpegsOn(file: string): string[] {
  if (process.platform !== 'linux') return [];
  const text = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line.includes(file) && line.includes('rawvideo'));
}

test('killed at random moments, a batch ends with the bytes of an undisturbed one, and nothing else', async (t) => {
  const {
    killsByPhase,
    kills,
    rounds,
    resumes,
    jobs: _,
    windows: __,
    ...wrong
  } = await runKillTest({
    kills: 2,
    seed: 7,
    log: (line) => t.diagnostic(line),
    program: [...LOADER, MAIN],
  });
  t.diagnostic(
    `${kills} kills in ${rounds} rounds, ${resumes} from checkpoints: ${JSON.stringify(killsByPhase)}`,
  );
  assert.deepEqual(wrong, { wrongFiles: 0, missing: 0, leftovers: 0, doubled: 0, errors: 0, orphans: 0 });
});

test('animate --resume: killed by SIGKILL, it goes on to the same bytes, and ffmpeg does not stay', async () => {
  const made = newFolder('resume', 1.2);
  const job = (output: string) => [
    ...['animate', '--portrait', path.join(made, 'ada.jpg'), '--audio', path.join(made, 'speech.wav')],
    ...['--output', path.join(made, output), '--steps', '2', '--framing', 'crop', '--json'],
  ];
  const plain = await runProgram(job('plain.mp4'));
  assert.equal(plain.status, 0, plain.stderr);

  const { child, result } = startProgram([...job('talk.mp4'), '--resume']);
  await untilFrames(child, 12);
  child.kill('SIGKILL');
  await result;
  assert.equal(existsSync(path.join(made, 'talk.mp4')), false);
  while (ffmpegsOn(made).length > 0) await sleep(20); // its input has ended; the test's time limit is the limit

  const resumed = await runProgram([...job('talk.mp4'), '--resume']);
  assert.equal(resumed.status, 0, resumed.stderr);
  const last = JSON.parse(resumed.stdout.trimEnd().split('\n').at(-1)!);
  assert.ok(last.resumedFrames > 0, 'nothing came from checkpoints');
  assert.ok(readFileSync(path.join(made, 'talk.mp4')).equals(readFileSync(path.join(made, 'plain.mp4'))));
  const again = await runProgram([...job('talk.mp4').slice(0, -1), '--resume']);
  assert.match(again.stdout, /talk\.mp4\nwas complete already/);
  assert.deepEqual(readdirSync(made).sort(), [
    '.lcm-portrait',
    'ada.jpg',
    'plain.mp4',
    'speech.wav',
    'talk.mp4',
  ]);
});

test('SIGTERM ends a batch within seconds and keeps checkpoints; the next run resumes from them', async (t) => {
  const made = newFolder('stop', 2);
  const manifest = path.join(made, 'jobs.yaml');
  writeFileSync(
    manifest,
    '- {portrait: ada.jpg, audio: speech.wav, steps: 2, framing: crop, output: talk.mp4}\n',
  );
  const { child, result } = startProgram(['batch', manifest, '--json']);
  await untilFrames(child, 16);
  const since = performance.now();
  child.kill('SIGTERM');
  const stopped = await result;
  t.diagnostic(`ended after ${Math.round(performance.now() - since)} ms`);
  assert.equal(stopped.status, 143, stopped.stderr);
  assert.deepEqual(ffmpegsOn(made), []);
  assert.deepEqual(
    readdirSync(made).filter((name) => name.endsWith('.mp4')),
    [],
  );
  const report = JSON.parse(readFileSync(path.join(made, 'jobs-report/report.json'), 'utf8'));
  assert.deepEqual([report.state, report.jobs[0].state], ['stopped', 'cancelled']);

  const rest = await runProgram(['batch', manifest, '--json']);
  assert.equal(rest.status, 0, rest.stderr);
  const { report: done } = JSON.parse(rest.stdout.trimEnd().split('\n').at(-1)!);
  assert.ok(done.jobs[0].resumedFrames >= 10, `${done.jobs[0].resumedFrames} frames from checkpoints`);
  assert.match(readFileSync(path.join(made, 'jobs-report/report.html'), 'utf8'), /data:image\/jpeg;base64,/);
});

test('a second Ctrl-C ends a batch at once, in the middle of a network, and leaves no ffmpeg and nothing half written', async (t) => {
  // A batch that happens to be done with the first one in the same moment shows nothing: once more, then.
  for (let attempt = 0; ; attempt++) {
    const made = newFolder(`twice-${attempt}`, 5);
    const manifest = path.join(made, 'jobs.yaml');
    writeFileSync(manifest, '- {portrait: ada.jpg, audio: speech.wav, framing: crop, output: talk.mp4}\n');
    const { child, result } = startProgram(['batch', manifest, '--json']);
    let said = '';
    child.stderr!.on('data', (text: string) => {
      said += text;
    });
    await untilFrames(child, 4);
    assert.equal(process.platform !== 'linux' || ffmpegsOn(made).length === 1, true, 'ffmpeg is at work');
    child.kill('SIGINT');
    while (!said.includes('stopping') && child.exitCode === null) await sleep(1);
    const since = performance.now();
    child.kill('SIGINT');
    const { status, signal } = await result;
    t.diagnostic(`ended after ${Math.round(performance.now() - since)} ms by ${signal ?? status}`);
    while (ffmpegsOn(made).length > 0) await sleep(20); // the test's time limit is the limit
    const visible = readdirSync(made).filter((name) => name.endsWith('.mp4') || name.includes('partial'));
    assert.deepEqual(visible, []);
    assert.match(said, /stopping, checkpoints are kept; again to end at once/);
    if (signal === 'SIGINT') return;
    assert.equal(status, 130);
    assert.ok(attempt < 4, 'never ended by the second one');
  }
});

test('two workers on the same cores keep their locks while both denoise', { skip: noRedis }, async (t) => {
  const made = newFolder('locks', 0.8);
  mkdirSync(path.join(made, 'redis'));
  const server = await RedisServer.start(path.join(made, 'redis'));
  const jobs = ['a', 'b'].map(
    (name, seed) =>
      `- {portrait: ada.jpg, audio: speech.wav, steps: 2, framing: crop, seed: ${seed}, output: ${name}.mp4}\n`,
  );
  writeFileSync(path.join(made, 'jobs.yaml'), jobs.join(''));
  const workers = [1, 2].map(() => startProgram(['worker', '--queue', server.url, '--lock', '10', '--json']));
  const events = workers.map(({ child }) => eventsOf(child));
  while (!events.every((seen) => seen.some(({ type }) => type === 'ready'))) await sleep(20);
  const locks = await watchLocks(server.url);
  const batch = await runProgram(['batch', path.join(made, 'jobs.yaml'), '--queue', server.url, '--json']);
  const { lowest, stalls, attempts } = await locks.end();
  for (const { child } of workers) child.kill('SIGTERM');
  await Promise.all(workers.map(({ result }) => result));
  await server.down('SIGKILL');

  assert.equal(batch.status, 0, batch.stderr);
  t.diagnostic(`of 10,000 ms, a lock had ${lowest} left at least`);
  assert.ok(lowest > 0);
  assert.deepEqual([stalls, attempts], [0, 2]);
  const seen = events.map((each) => each.map(({ type }) => type));
  assert.ok(
    seen.every((types) => types.includes('done')),
    'both worked',
  );
  assert.ok(!seen.flat().some((type) => type === 'handed-back' || type === 'failed'));
});
