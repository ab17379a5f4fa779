/** The whole program on the sample portrait and speech. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { childrenOf, isRunning } from '../../scripts/lib/processes.ts';
import type { ProgressEvent } from '../../src/index.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { ROOT, runProgram, startProgram } from '../helpers/run-program.ts';

const PORTRAIT = path.join(ROOT, 'assets/portraits/ada.jpg');
const SPEECH = path.join(ROOT, 'assets/speech/welcome.wav');
const missing = [PORTRAIT, SPEECH, path.join(ROOT, 'assets/bundles/tiny/bundle.json')].filter(
  (file) => !existsSync(file),
);
const skip = missing.length > 0 ? `not there: ${missing.join(', ')}` : false;

/** Short, but longer than a frame has words: a syllable or two. */
const DURATION = 0.6;
const SAMPLE_RATE = 16_000;
const folder = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });
const shortSpeech = path.join(folder, 'short.wav');
const silence = path.join(folder, 'silence.wav');
const longSpeech = path.join(folder, 'long.wav');
if (!skip) {
  const { pcm } = await readAudio(SPEECH, { ffmpeg, sampleRate: SAMPLE_RATE });
  writeFileSync(shortSpeech, encodeWav(pcm.slice(0, DURATION * SAMPLE_RATE), SAMPLE_RATE));
  writeFileSync(silence, encodeWav(new Float32Array(DURATION * SAMPLE_RATE), SAMPLE_RATE));
  // Long enough that rendering is not over before a signal arrives.
  const long = Float32Array.from({ length: 20 * SAMPLE_RATE }, (_, i) => pcm[i % pcm.length]!);
  writeFileSync(longSpeech, encodeWav(long, SAMPLE_RATE));
}

/** For tests of the program's ways, whatever the picture: the whole preset is rendered by the first. */
const QUICK = ['--steps', '1', '--framing', 'crop'];

/** An empty folder for one test's output. */
function outputFolder(name: string): string {
  const made = path.join(folder, name);
  mkdirSync(made);
  return made;
}

/** The variables that name the folder for temporary files. */
function temporaryAt(place: string): Record<string, string> {
  // A loader that translates modules would keep them there.
  return { TMPDIR: place, TMP: place, TEMP: place, TSX_DISABLE_CACHE: '1' };
}

function job(output: string, changes: { portrait?: string; audio?: string } = {}): string[] {
  const { portrait = PORTRAIT, audio = shortSpeech } = changes;
  return ['animate', '--portrait', portrait, '--audio', audio, '--output', output];
}

test('a short clip renders: H.264 and AAC, as large as the photo, as long as the speech', {
  skip,
}, async () => {
  const output = path.join(outputFolder('render'), 'talk.mp4');
  const { stdout, stderr, status } = await runProgram(job(output));
  assert.equal(status, 0, stderr);
  assert.equal(stdout.split('\n')[0], output);
  assert.deepEqual(readdirSync(path.dirname(output)), ['talk.mp4']);

  const { video, audio } = await probeMedia(output, { ffmpeg });
  assert.ok(video && audio);
  assert.deepEqual(
    [video.codec, video.pixelFormat, video.width, video.height, audio.codec],
    ['h264', 'yuv420p', 512, 512, 'aac'],
  );
  const frame = 1 / video.fps;
  assert.ok(Math.abs(video.frames * frame - DURATION) <= frame, `${video.frames} frames at ${video.fps} fps`);
  assert.ok(Math.abs(audio.duration - DURATION) <= frame, `${audio.duration} s of sound`);
  assert.ok(Math.abs(video.startTime) < frame && Math.abs(audio.startTime) < frame);
});

test('--json events come in order, and end with the result; no folder for temporary files is needed', {
  skip,
}, async () => {
  const output = path.join(outputFolder('json'), 'talk.mp4');
  const { stdout, stderr, status } = await runProgram([...job(output), ...QUICK, '--json'], {
    env: temporaryAt(path.join(folder, 'no', 'such', 'folder')),
  });
  assert.deepEqual([status, stderr], [0, '']);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.filter(({ type }) => type === 'stage').map(({ stage }) => stage),
    ['prepare', 'motion', 'load', 'render', 'finish'],
  );
  const frames = events.filter(({ type }) => type === 'frames');
  for (const [i, event] of frames.entries()) {
    assert.ok(event.framesDone <= event.framesTotal && event.stepsDone <= event.stepsTotal);
    assert.ok(event.framesDone >= (frames[i - 1]?.framesDone ?? 0));
    assert.ok(event.stepsDone >= (frames[i - 1]?.stepsDone ?? 0));
    assert.ok(event.framesPerSecond >= 0 && (event.remaining === undefined || event.remaining >= 0));
  }
  const result = events.at(-1);
  assert.deepEqual([result.type, result.output], ['result', output]);
  assert.equal(frames.at(-1).framesDone, result.frames);
  assert.equal(frames.at(-1).stepsDone, frames.at(-1).stepsTotal);
});

test('silence is animated too; the folder for temporary files may be one that cannot be written', {
  skip,
}, async () => {
  const output = path.join(outputFolder('silence'), 'talk.mp4');
  const { stderr, status } = await runProgram([...job(output, { audio: silence }), ...QUICK, '--still'], {
    env: temporaryAt(silence), // no folder: also root cannot write there
  });
  assert.equal(status, 0, stderr);
  assert.ok(existsSync(output));
});

test('--dry-run writes nothing', { skip }, async () => {
  const made = outputFolder('dry-run');
  const { stdout, stderr, status } = await runProgram([...job(path.join(made, 'talk.mp4')), '--dry-run']);
  assert.equal(status, 0, stderr);
  for (const label of ['video', 'windows', 'time', 'memory']) {
    assert.match(stdout, new RegExp(`^${label} `, 'm'));
  }
  assert.deepEqual(readdirSync(made), []);
});

test('an output that exists is kept, unless --force', { skip }, async () => {
  const made = outputFolder('exists');
  const output = path.join(made, 'talk.mp4');
  writeFileSync(output, 'mine');
  const { stdout, stderr, status } = await runProgram([...job(output), '--quiet']);
  assert.deepEqual([status, stdout], [3, '']);
  assert.match(stderr, /^lcm-portrait: error: .*talk\.mp4.*--force.*\n$/);
  assert.equal(readFileSync(output, 'utf8'), 'mine');
  assert.deepEqual(readdirSync(made), ['talk.mp4']);

  const forced = await runProgram([...job(output), ...QUICK, '--quiet', '--force']);
  assert.equal(forced.status, 0, forced.stderr);
  assert.equal((await probeMedia(output, { ffmpeg })).video?.codec, 'h264');
});

const noWav = path.join(folder, 'text.wav');
writeFileSync(noWav, 'These are words, but nobody speaks them.\n');

for (const { title, changes, status, message } of [
  {
    title: 'a portrait that is not there',
    changes: { portrait: path.join(folder, 'nobody.jpg') },
    status: 3,
    message: /nobody\.jpg/,
  },
  {
    title: 'speech that is not there',
    changes: { audio: path.join(folder, 'no.wav') },
    status: 3,
    message: /no\.wav/,
  },
  { title: 'a text file called .wav', changes: { audio: noWav }, status: 3, message: /text\.wav/ },
  { title: 'a text file as portrait', changes: { portrait: noWav }, status: 3, message: /text\.wav/ },
]) {
  test(`${title}: one line that names it, its own status, nothing left behind`, { skip }, async () => {
    const made = outputFolder(title);
    const output = path.join(made, 'talk.mp4');
    const { stdout, stderr, status: actual } = await runProgram([...job(output, changes), '--quiet']);
    assert.deepEqual([actual, stdout], [status, ''], stderr);
    assert.match(stderr, /^lcm-portrait: error: Cannot [^\n]*\n$/);
    assert.match(stderr, message);
    assert.deepEqual(readdirSync(made), []);
  });
}

test('a folder that does not exist is an error before any work', { skip }, async () => {
  const output = path.join(folder, 'nowhere', 'talk.mp4');
  const { stderr, status } = await runProgram([...job(output), '--quiet']);
  assert.equal(status, 3);
  assert.match(stderr, /^lcm-portrait: error: Cannot [^\n]*nowhere[^\n]*\n$/);
  assert.equal(existsSync(path.dirname(output)), false);
});

/** Starts a long job and waits until its first frames are out. */
async function startRendering(output: string) {
  const { child, result } = startProgram([...job(output, { audio: longSpeech }), ...QUICK, '--json']);
  let text = '';
  child.stdout!.on('data', (chunk: string) => {
    text += chunk;
  });
  while (!/"framesDone":[1-9]/.test(text) && child.exitCode === null) await sleep(20);
  assert.equal(child.exitCode, null, 'still rendering');
  return { child, result, children: childrenOf(child.pid!) };
}

for (const presses of [1, 2]) {
  const title = presses === 1 ? 'Ctrl-C' : 'Ctrl-C pressed twice';
  test(`${title} while rendering leaves no process and no file`, { skip }, async (t) => {
    const made = outputFolder(title);
    const { child, result, children } = await startRendering(path.join(made, 'talk.mp4'));
    if (process.platform === 'linux') assert.ok(children.length > 0, 'ffmpeg is running');
    const since = performance.now();
    for (let i = 0; i < presses; i++) {
      child.kill('SIGINT');
      if (i + 1 < presses) await sleep(30);
    }
    const { status, signal, stderr } = await result;
    t.diagnostic(`ended after ${Math.round(performance.now() - since)} ms`);
    // The second press may find a program that has already cleaned up.
    if (presses === 1 || signal === null) assert.equal(status, 130, stderr);
    else assert.equal(signal, 'SIGINT');
    while (children.some(isRunning)) await sleep(20); // the test's time limit is the limit
    assert.deepEqual(readdirSync(made), []);
  });
}

test('the caller’s event loop turns in every stage, and between any two frames', { skip }, async () => {
  const { animate } = await import('../../src/index.ts');
  const output = path.join(outputFolder('loop'), 'talk.mp4');
  const options = { portrait: PORTRAIT, audio: shortSpeech, overwrite: true, output, steps: 1 };
  const stages = ['prepare', 'motion', 'load', 'render', 'finish'];
  // Where this thread has to wait for a core, two answers of another may be there at once: not so, then, in every run.
  for (let attempt = 1; ; attempt++) {
    const turns = await watchTurns((onProgress) => animate({ ...options, onProgress }));
    assert.deepEqual([...new Set(turns.map(({ before }) => before))], ['begin', ...stages]);
    assert.ok(turns.filter(({ before, after }) => before === 'render' && after === 'render').length >= 15);
    // The job begins when it is called, and its last stage when the last frame is out.
    const between = turns.filter(({ before, after }) => before !== 'begin' && after !== 'finish');
    const missed = between.filter(({ turned }) => !turned);
    if (missed.length === 0) return;
    assert.ok(attempt < 3, JSON.stringify(missed));
  }
});

test('work that does not let the event loop turn is seen', async () => {
  const turns = await watchTurns(async (onProgress) => {
    onProgress({ type: 'stage', stage: 'prepare' });
    await nextTurn();
    await nextTurn();
    onProgress({ type: 'stage', stage: 'motion' });
    await Promise.resolve();
    onProgress({ type: 'stage', stage: 'load' });
    await nextTurn();
  });
  assert.deepEqual(
    turns.map(({ before, turned }) => [before, turned]),
    [
      ['begin', false],
      ['prepare', true],
      ['motion', false],
      ['load', true],
    ],
  );
});

/** Whether the event loop turned between two events of a job: a busy machine changes nothing about that. */
async function watchTurns(
  runJob: (onProgress: (event: ProgressEvent) => void) => Promise<unknown>,
): Promise<{ before: string; after: string; turned: boolean }[]> {
  const turns: { before: string; after: string; turned: boolean }[] = [];
  let turned = false;
  let stage = 'begin';
  let framesDone = 0;
  const watch = (): void => {
    turned = false;
    const { length } = turns;
    setImmediate(() => {
      if (turns.length === length) turned = true;
    });
  };
  const look = (after: string): void => {
    turns.push({ before: stage, after, turned });
    watch();
  };
  watch();
  await runJob((event) => {
    if (event.type === 'frames' && event.framesDone > framesDone) {
      framesDone = event.framesDone;
      look(stage);
    }
    if (event.type !== 'stage') return;
    look(event.stage);
    stage = event.stage;
  });
  look('end');
  return turns;
}

test('a job can be cancelled by its caller, with the reason that the caller gave', { skip }, async () => {
  const { animate } = await import('../../src/index.ts');
  const made = outputFolder('cancel');
  const controller = new AbortController();
  const reason = new Error('changed my mind');
  const promise = animate({
    portrait: PORTRAIT,
    audio: longSpeech,
    output: path.join(made, 'talk.mp4'),
    ...{ steps: 1, framing: 'crop' },
    signal: controller.signal,
    onProgress: (event) => {
      if (event.type === 'frames' && event.framesDone > 0) controller.abort(reason);
    },
  });
  await assert.rejects(promise, (error) => error === reason);
  assert.deepEqual(readdirSync(made), []);
});
