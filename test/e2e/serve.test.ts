/** The server with the networks themselves, at half their resolution: what it gives out is what the program renders. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { ROOT, runProgram } from '../helpers/run-program.ts';
import { type Json, jsonOf, PORTRAIT, ServerProcess } from '../serve/server-process.ts';

const SPEECH = path.join(ROOT, 'assets/speech/welcome.wav');
const TINY = path.join(ROOT, 'assets/bundles/tiny');
const SAMPLE_RATE = 16_000;
/** Long enough for a fragment of the live video, and to be killed in the middle. */
const DURATION = 1.6;
const FRAMES = 40;

const folder = temporaryDirectory();
const ffmpeg = await locateFfmpeg({ env: process.env });
const speech = path.join(folder, 'speech.wav');
const { pcm } = await readAudio(SPEECH, { ffmpeg, sampleRate: SAMPLE_RATE });
writeFileSync(speech, encodeWav(pcm.slice(0, DURATION * SAMPLE_RATE), SAMPLE_RATE));
const home = path.join(folder, 'home');
const bundle = path.join(home, 'bundles/quick');
mkdirSync(path.dirname(bundle), { recursive: true });
cpSync(TINY, bundle, { recursive: true });
const description = JSON.parse(readFileSync(path.join(TINY, 'bundle.json'), 'utf8'));
description.name = 'quick';
description.resolution = 128;
description.presets.original.steps = 2;
writeFileSync(path.join(bundle, 'bundle.json'), JSON.stringify(description));

const data = path.join(folder, 'data');
const ARGS = ['--threads', '1', '--device', 'cpu'];
const ENV = { LCM_PORTRAIT_HOME: home };
const start = () => ServerProcess.program(data, ARGS, ENV);

/** Sends files and fields as a form. */
async function post(server: ServerProcess, where: string, fields: Record<string, string>): Promise<Json> {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) {
    if (existsSync(value)) form.append(field, new Blob([readFileSync(value)]), path.basename(value));
    else form.append(field, value);
  }
  const response = await server.fetch(where, { method: 'POST', body: form });
  const answer = await jsonOf(response);
  assert.equal(response.status, where.endsWith('uploads') ? 201 : 202, JSON.stringify(answer));
  return answer;
}

/** Whether a checkpoint is there. */
function isSaved(): boolean {
  const state = path.join(data, 'state');
  return readdirSync(state, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.ckpt'));
}

test('a clip that is killed in the middle is played while it goes on, and is the video that the program renders', async () => {
  const first = await start();
  const order = { portrait: PORTRAIT, audio: speech, bundle: 'quick', seed: '7' };
  const { id, links } = await post(first, '/v1/clips', order);
  while (!isSaved()) {
    assert.ok(!['succeeded', 'failed'].includes((await first.json(links.self)).state), 'it has ended before');
    await sleep(10);
  }
  await first.end('SIGKILL');

  const second = await start();
  // From the first bytes on it is a film; all of them are the whole one.
  const live = await second.fetch(links.live);
  assert.equal(live.headers.get('content-type'), 'video/mp4');
  const pieces: Buffer[] = [];
  let stateAtFirst = '';
  for await (const piece of live.body!) {
    if (pieces.length === 0) stateAtFirst = (await second.json(links.self)).state;
    pieces.push(Buffer.from(piece));
  }
  assert.equal(stateAtFirst, 'processing');
  const played = path.join(folder, 'live.mp4');
  writeFileSync(played, Buffer.concat(pieces));
  const shown = await probeMedia(played, { ffmpeg });
  assert.deepEqual([shown.video?.codec, shown.video?.frames, shown.video?.width], ['h264', FRAMES, 512]);
  const done = await second.until(id, 'succeeded');
  assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
  const video = Buffer.from(await (await second.fetch(done.links.video)).arrayBuffer());
  assert.equal(createHash('sha256').update(video).digest('hex'), done.result.sha256);

  const own = path.join(folder, 'own.mp4');
  const args = ['animate', '--portrait', PORTRAIT, '--audio', speech, '--output', own, '--bundle', 'quick'];
  const { status, stderr } = await runProgram([...args, '--seed', '7', ...ARGS], { env: ENV });
  assert.equal(status, 0, stderr);
  assert.ok(video.equals(readFileSync(own)), 'the server has other bytes than the program');

  // The same film, sent back, moves another portrait and gives it its voice.
  const driving = await post(second, '/v1/uploads', { file: own });
  assert.deepEqual([driving.kind, driving.hasSound], ['film', true]);
  const driven = await post(second, '/v1/clips', {
    ...{ portrait: 'sample:ben.jpg', driving: driving.id, bundle: 'quick', format: 'webm' },
  });
  const moved = await second.until(driven.id, 'succeeded');
  assert.equal(moved.state, 'succeeded', JSON.stringify(moved.error));
  const response = await second.fetch(`${moved.links.video}?download`);
  assert.equal(response.headers.get('content-type'), 'video/webm');
  const film = path.join(folder, 'driven.webm');
  writeFileSync(film, Buffer.from(await response.arrayBuffer()));
  const found = await probeMedia(film, { ffmpeg });
  assert.ok(Math.abs(found.video!.frames - FRAMES) <= 1 && found.audio !== undefined);

  // And the comparison, with the original sampler at two steps.
  const short = path.join(folder, 'word.wav');
  writeFileSync(short, encodeWav(pcm.slice(0, 0.2 * SAMPLE_RATE), SAMPLE_RATE));
  const comparison = await post(second, '/v1/compare', {
    ...{ portrait: PORTRAIT, audio: short, bundle: 'quick', repeats: '1' },
  });
  const compared = await second.untilOf(comparison.links.self, 'succeeded');
  assert.equal(compared.state, 'succeeded', JSON.stringify(compared.error));
  assert.ok(compared.result.speedUp.denoise > 0 && compared.result.face.psnr > 10);
  const report = await (await second.fetch(compared.links.report)).text();
  assert.ok(report.includes('word.wav') && !report.includes(folder) && !/<style|\sstyle=/.test(report));
  const figures = await second.json(compared.links.data);
  assert.equal(figures.complete, true);
  for (const { video: name } of figures.variants)
    assert.equal((await second.fetch(`${comparison.links.self}/${name}`)).status, 200);
  assert.equal(await second.end('SIGTERM'), 143);
});
