/** The server with the networks themselves, at half their resolution: what it gives out is what the program renders. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { animate } from '../../src/index.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { probeMedia } from '../../src/media/probe.ts';
import { readAudio } from '../../src/media/read-audio.ts';
import { encodeWav, temporaryDirectory } from '../helpers/media.ts';
import { ROOT } from '../helpers/run-program.ts';
import { type Json, jsonOf, PORTRAIT, ServerProcess } from '../serve/server-process.ts';

const SPEECH = path.join(ROOT, 'assets/speech/welcome.wav');
const TINY = path.join(ROOT, 'assets/bundles/tiny');
const SAMPLE_RATE = 16_000;
/** Long enough for a fragment of the live video, and to be killed in the middle. */
const DURATION = 1;
const FRAMES = 25;

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

/** A picture without a face. */
async function wallOf(place: string): Promise<string> {
  const wall = path.join(place, 'wall.png');
  await sharp({ create: { width: 256, height: 256, channels: 3, background: '#888' } }).toFile(wall);
  return wall;
}

/** Whether a checkpoint is there. */
function isSaved(): boolean {
  const state = path.join(data, 'state');
  return readdirSync(state, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.ckpt'));
}

/** One server for all: it is killed once, and each clip is used again. */
test('the server gives out what the library renders', async (t) => {
  const first = await start();
  const order = { portrait: PORTRAIT, audio: speech, bundle: 'quick', seed: '7' };
  const { id, links } = await post(first, '/v1/clips', order);
  while (!isSaved()) {
    assert.ok(!['succeeded', 'failed'].includes((await first.json(links.self)).state), 'it has ended before');
    await sleep(10);
  }
  await first.end('SIGKILL');
  const server = await start();

  await t.test(
    'a clip that was killed in the middle goes on, and is played from its first frames on',
    async () => {
      const live = await server.fetch(links.live);
      assert.equal(live.headers.get('content-type'), 'video/mp4');
      const pieces: Buffer[] = [];
      let stateAtFirst = '';
      for await (const piece of live.body!) {
        if (pieces.length === 0) stateAtFirst = (await server.json(links.self)).state;
        pieces.push(Buffer.from(piece));
      }
      assert.equal(stateAtFirst, 'processing');
      const played = path.join(folder, 'live.mp4');
      writeFileSync(played, Buffer.concat(pieces));
      const { video } = await probeMedia(played, { ffmpeg });
      assert.deepEqual([video?.codec, video?.frames, video?.width], ['h264', FRAMES, 512]);
    },
  );

  const own = path.join(folder, 'own.mp4');
  await t.test('its video is the one that the library renders, byte by byte', async () => {
    const clip = await server.until(id, 'succeeded');
    assert.equal(clip.state, 'succeeded', JSON.stringify(clip.error));
    await animate({
      ...{ portrait: PORTRAIT, audio: speech, output: own, seed: 7, threads: 1, device: 'cpu' },
      ...{ bundle: 'quick', bundleStore: path.dirname(bundle) },
    });
    const video = Buffer.from(await (await server.fetch(clip.links.video)).arrayBuffer());
    assert.ok(video.equals(readFileSync(own)), 'the server has other bytes than the library');
  });

  await t.test('a look at an order finds the face, and what is wrong, without naming a folder', async () => {
    const wanted = { portrait: 'sample:ada.jpg', audio: 'sample:short.wav', bundle: 'quick' };
    const plan = await jsonOf(await server.post('/v1/plan', wanted));
    assert.deepEqual([plan.frames, plan.faces?.length], [34, 1], JSON.stringify(plan));
    const { box } = plan.faces[0];
    assert.ok(box.x < plan.width / 2 && box.x + box.width > plan.width / 2, 'the face is elsewhere');
    const wall = await post(server, '/v1/uploads', { file: await wallOf(folder) });
    const refused = await server.post('/v1/plan', { ...wanted, portrait: wall.id });
    const { errors, ...problem } = await jsonOf(refused);
    assert.equal(refused.status, 422);
    assert.deepEqual(
      errors.map(({ field }: Json) => field),
      ['portrait'],
    );
    assert.match(problem.detail, /^Cannot animate wall\.png: expected a face/);
    assert.ok(!JSON.stringify([plan, problem, errors]).includes(data), 'a folder of the server is named');
  });

  await t.test('the same film, sent back, moves another portrait, and gives it its voice', async () => {
    const film = await post(server, '/v1/uploads', { file: own });
    assert.deepEqual([film.kind, film.hasSound], ['film', true]);
    const wanted = { portrait: 'sample:ben.jpg', driving: film.id, bundle: 'quick' };
    const driven = await post(server, '/v1/clips', wanted);
    // Somebody compares, too, with a picture that has no face: its error comes from a thread of its own.
    const wall = { portrait: await wallOf(folder), audio: speech, repeats: '1' };
    const compared = await post(server, '/v1/compare', wall);

    const moved = await server.until(driven.id, 'succeeded');
    assert.equal(moved.state, 'succeeded', JSON.stringify(moved.error));
    const file = path.join(folder, 'driven.mp4');
    writeFileSync(file, Buffer.from(await (await server.fetch(moved.links.video)).arrayBuffer()));
    const found = await probeMedia(file, { ffmpeg });
    assert.ok(Math.abs(found.video!.frames - FRAMES) <= 1 && found.audio !== undefined);

    const { state, error } = await server.untilOf(compared.links.self, 'failed');
    assert.deepEqual([state, error.code, error.field], ['failed', 'FACE', 'portrait']);
    assert.match(error.message, /^Cannot animate wall\.png: expected a face/);
  });
  assert.equal(await server.end('SIGTERM'), 143);
});
