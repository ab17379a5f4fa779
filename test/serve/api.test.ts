/** The API of a real server process; clips are denoised by arithmetic. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Json, jsonOf, PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

const folder = temporaryFolder();
const server = await ServerProcess.start(folder);

function form(fields: Record<string, string | readonly [file: string, name: string]>): FormData {
  const data = new FormData();
  for (const [field, value] of Object.entries(fields)) {
    if (typeof value === 'string') data.append(field, value);
    else data.append(field, new Blob([readFileSync(value[0])]), value[1]);
  }
  return data;
}

const FILES = { portrait: [PORTRAIT, 'anna.jpg'], audio: [SPEECH, 'hello.wav'] } as const;

async function problemOf(response: Response): Promise<Json> {
  assert.match(response.headers.get('content-type')!, /^application\/problem\+json/);
  const problem = await jsonOf(response);
  assert.equal(problem.status, response.status);
  return problem;
}

test('a clip of two files is taken, followed to its end and fetched', async () => {
  const response = await server.fetch('/v1/clips', { method: 'POST', body: form({ ...FILES, seed: '7' }) });
  assert.equal(response.status, 202);
  const clip = await jsonOf(response);
  assert.equal(response.headers.get('location'), `/v1/clips/${clip.id}`);
  assert.equal(clip.state, 'queued');
  assert.equal(clip.name, 'anna · hello');
  assert.equal(clip.options.seed, 7);
  const states = new Set<string>();
  let fraction = 0;
  let seq = 0;
  for await (const { id, data } of server.follow(clip.id)) {
    for (const entry of data.entries) {
      assert.equal(entry.seq, ++seq); // each once, in order
      if (entry.type === 'state') states.add(entry.text);
    }
    assert.equal(id, String(seq));
    if (data.progress) {
      assert.ok(data.progress.fraction >= fraction);
      fraction = data.progress.fraction;
    }
  }
  assert.deepEqual([...states], ['queued', 'starting', 'processing', 'succeeded']);
  const done = await server.json(`/v1/clips/${clip.id}`);
  assert.equal(done.state, 'succeeded');
  assert.equal(done.result.frames, 42);
  assert.ok(done.startedAt >= done.createdAt && done.finishedAt >= done.startedAt);

  const video = await server.fetch(done.links.video);
  assert.equal(video.headers.get('content-type'), 'video/mp4');
  const bytes = Buffer.from(await video.arrayBuffer());
  assert.equal(bytes.length, done.result.bytes);
  assert.equal(createHash('sha256').update(bytes).digest('hex'), done.result.sha256);
  const preview = await server.fetch(`/v1/clips/${clip.id}/preview.jpg`);
  assert.equal(preview.status, 404); // what arithmetic makes is no video
});

test('the answer that is asked for most often is the application’s own', async () => {
  const { id } = await server.order({ seed: 3 });
  await server.until(id, 'succeeded');
  const read = async (address: string) => {
    const response = await server.fetch(address);
    const headers = Object.fromEntries(response.headers);
    delete headers.date;
    return { status: response.status, headers, body: await response.text() };
  };
  // With a query, which nobody reads, it comes from the application.
  assert.deepEqual(await read(`/v1/clips/${id}`), await read(`/v1/clips/${id}?again=1`));
  const counted = await (await server.fetch('/metrics')).text();
  assert.match(counted, /requests_total\{method="GET",route="\/v1\/clips\/:id",status="200"\} [1-9]/);
  assert.equal((await server.fetch(`/v1/comparisons/${id}`)).status, 404);
  const foreign = { headers: { origin: 'http://elsewhere.example' } };
  assert.equal((await server.fetch(`/v1/clips/${id}`, foreign)).status, 403);
});

test('a video is sent in parts, and not again where it is known', async () => {
  const { id } = await server.order({ seed: 1 });
  const { links, result } = await server.until(id, 'succeeded');
  const all = Buffer.from(await (await server.fetch(links.video)).arrayBuffer());
  const range = async (value: string, headers = {}) =>
    server.fetch(links.video, { headers: { range: value, ...headers } });

  const first = await range('bytes=0-99');
  assert.equal(first.status, 206);
  assert.equal(first.headers.get('content-range'), `bytes 0-99/${all.length}`);
  assert.deepEqual(Buffer.from(await first.arrayBuffer()), all.subarray(0, 100));
  const last = await range('bytes=-10');
  assert.deepEqual(Buffer.from(await last.arrayBuffer()), all.subarray(-10));
  const rest = await range('bytes=100-');
  assert.deepEqual(Buffer.from(await rest.arrayBuffer()), all.subarray(100));
  const over = await range(`bytes=${all.length - 1}-99999999`);
  assert.equal(over.headers.get('content-range'), `bytes ${all.length - 1}-${all.length - 1}/${all.length}`);
  const outside = await range('bytes=99999999-');
  assert.equal(outside.status, 416);
  assert.equal(outside.headers.get('content-range'), `bytes */${all.length}`);

  const etag = `"${result.sha256}"`;
  assert.equal(first.headers.get('etag'), etag);
  assert.equal((await server.fetch(links.video, { headers: { 'if-none-match': etag } })).status, 304);
  assert.equal((await range('bytes=0-9', { 'if-range': etag })).status, 206);
  assert.equal((await range('bytes=0-9', { 'if-range': '"other"' })).status, 200);

  const head = await server.fetch(`${links.video}?download`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), String(all.length));
  assert.match(
    head.headers.get('content-disposition')!,
    /^attachment; filename="ada _ short\.mp4"; filename\*=UTF-8''ada%20%C2%B7%20short\.mp4$/,
  );
});

test('every wrong field is reported at once, with the words of the library', async () => {
  const response = await server.post('/v1/clips', {
    portrait: 'sample:short.wav',
    audio: '/etc/passwd',
    seed: 'x',
    framin: 'crop',
    output: 'here.mp4',
    bundle: '../../etc',
    mouthScale: 9,
  });
  assert.equal(response.status, 422);
  const { errors, type } = await problemOf(response);
  assert.equal(type, '/docs#invalid-field');
  const details = Object.fromEntries(errors.map((error: Json) => [error.field, error.detail]));
  assert.deepEqual(details, {
    portrait:
      'Cannot use portrait: expected a picture, or the id of one that was uploaded, got "sample:short.wav"'.replace(
        ', or the id of one that was uploaded, got "sample:short.wav"',
        ', got sound',
      ),
    audio:
      'Cannot use audio: expected sound, or a film with sound, or the id of one that was uploaded, got "/etc/passwd"',
    output: 'Cannot use output: expected an option of the clip, got one that the server sets itself',
    bundle: 'Cannot use bundle: expected tiny, got "../../etc"',
    seed: 'Cannot use seed: expected an integer from 0 to 2^53 − 1, got "x"',
    mouthScale: 'Cannot use mouthScale: expected a number from 0 to 3, got 9',
    framin: 'Cannot use framin: expected an option of animate, got an unknown name; did you mean framing?',
  });
  const missing = await problemOf(await server.post('/v1/clips', {}));
  assert.deepEqual(
    missing.errors.map(({ field }: Json) => field),
    ['portrait', 'audio'],
  );
});

test('a file that was sent before is used by its id, and stays while a clip is made of it', async () => {
  const sent = await server.fetch('/v1/uploads', {
    method: 'POST',
    body: form({ file: [PORTRAIT, '../../../anna.jpg'] }),
  });
  assert.equal(sent.status, 201);
  const upload = await jsonOf(sent);
  assert.equal(upload.kind, 'picture');
  assert.equal(upload.name, 'anna.jpg');
  assert.equal(upload.width, 512);
  const { id } = await server.order({ portrait: upload.id });
  assert.equal((await server.fetch(`/v1/uploads/${upload.id}`, { method: 'DELETE' })).status, 409);
  await server.until(id, 'succeeded');
  assert.equal((await server.fetch(`/v1/clips/${id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await server.fetch(`/v1/uploads/${upload.id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await server.fetch(`/v1/uploads/${upload.id}`)).status, 404);
});

test('nothing is left of a request that is refused', async () => {
  const uploads = () => readdirSync(path.join(folder, 'uploads')).length;
  const before = uploads();
  const response = await server.fetch('/v1/clips', { method: 'POST', body: form({ ...FILES, seed: 'no' }) });
  assert.equal(response.status, 422);
  assert.equal(uploads(), before);
});

test('a clip that waits or runs is cancelled, and one that has ended is removed', async () => {
  const slow = await ServerProcess.start(temporaryFolder(), { stepMs: 200 });
  const running = await slow.order();
  const others = [];
  for (let i = 0; i < 4; i++) others.push(await slow.order({ seed: i }));
  await slow.until(running.id, 'processing');
  const waiting = others.at(-1)!;
  const position = async () => (await slow.json(`/v1/clips/${waiting.id}`)).position;
  while ((await position()) > 1) await sleep(20); // three are in hand, once the third is prepared
  assert.equal(await position(), 1);
  for (const { id } of [waiting, running, ...others]) {
    const canceled = await slow.fetch(`/v1/clips/${id}`, { method: 'DELETE' });
    if (id === waiting.id && canceled.status === 204) continue; // the second time, it goes
    assert.equal((await jsonOf(canceled)).state, 'canceled');
  }
  assert.equal((await slow.fetch(`/v1/clips/${running.id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await slow.fetch(`/v1/clips/${running.id}`)).status, 404);
  // The engine is free again.
  const next = await slow.order({ seed: 99 });
  await slow.until(next.id, 'processing');
  await slow.end('SIGKILL');
});

test('when a clip is said to have succeeded, all of it is written', async () => {
  for (let seed = 400; seed < 406; seed++) {
    const { id } = await server.order({ seed });
    const state = async () => (await server.json(`/v1/clips/${id}`)).state;
    while (!['succeeded', 'failed'].includes(await state())); // sooner than its events say so
    assert.deepEqual(readdirSync(path.join(folder, 'clips', id)).sort(), ['clip.json', 'video.mp4']);
  }
});

test('clips come in pages, newest first', async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push((await server.order({ seed: 100 + i })).id);
  for (const id of ids) await server.until(id, 'succeeded');
  const seen: string[] = [];
  let next: string | undefined = '/v1/clips?limit=2';
  while (next !== undefined && seen.length < 5) {
    const page = await server.json(next);
    assert.equal(page.clips.length, 2);
    seen.push(...page.clips.map(({ id }: Json) => id));
    next = page.next;
  }
  assert.deepEqual(seen.slice(0, 5), ids.reverse());
  assert.equal((await server.fetch('/v1/clips?limit=0')).status, 422);
  assert.equal((await server.fetch('/v1/clips?after=nobody')).status, 422);
});

test('an order with a key is taken once', async () => {
  const order = { portrait: 'sample:ben.jpg', audio: 'sample:short.wav', seed: 5 };
  const headers = { 'idempotency-key': 'order-5' };
  const first = await jsonOf(await server.post('/v1/clips', order, headers));
  const again = await server.post('/v1/clips', order, headers);
  assert.equal(again.status, 202);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert.equal((await jsonOf(again)).id, first.id);
  const other = await server.post('/v1/clips', { ...order, seed: 6 }, headers);
  assert.equal((await problemOf(other)).type, '/docs#key-reused');
  // Files with the same contents are the same order, whatever they are called.
  const key = { 'idempotency-key': 'files' };
  const send = (name: string) =>
    server.fetch('/v1/clips', {
      method: 'POST',
      headers: key,
      body: form({ ...FILES, audio: [SPEECH, name] }),
    });
  const [one, two] = [await jsonOf(await send('a.wav')), await jsonOf(await send('b.wav'))];
  assert.equal(one.id, two.id);
});

test('events go on after the last that was seen, and end for good', async () => {
  const { id } = await server.order({ seed: 200 });
  await server.until(id, 'succeeded');
  const all = [];
  for await (const event of server.follow(id)) all.push(event);
  assert.equal(all.length, 1); // what has happened comes at once
  assert.equal(all[0]!.data.entries.length, 4);
  const rest = [];
  for await (const event of server.follow(id, '2')) rest.push(event);
  assert.deepEqual(
    rest[0]!.data.entries.map(({ text }: Json) => text),
    ['processing', 'succeeded'],
  );
  assert.equal(
    (await server.fetch(`/v1/clips/${id}/events`, { headers: { 'last-event-id': '4' } })).status,
    204,
  );
});

test('there are at most four events a second', async () => {
  const busy = await ServerProcess.start(temporaryFolder(), { stepMs: 20 }); // 50 steps a second
  const { id } = await busy.order();
  const since = performance.now();
  let count = 0;
  for await (const _ of busy.follow(id)) count++;
  assert.ok(count >= 2);
  // Counted from the request, before the first can have been sent: a busy machine only makes it longer.
  const seconds = (performance.now() - since) / 1000;
  // A timer may be a millisecond early: it counts whole ones.
  assert.ok(count - 1 <= seconds / 0.249, `${count} events in ${seconds} s`);
  await busy.end('SIGKILL');
});

test('what the server has and how it is can be asked', async () => {
  assert.deepEqual(await server.json('/healthz'), { status: 'ok', version: '0.0.0' });
  assert.deepEqual(await server.json('/readyz'), { status: 'ready' });
  const { bundles } = await server.json('/v1/bundles');
  assert.equal(bundles[0].name, 'tiny');
  const { options } = await server.json('/v1/options');
  assert.ok(options.some(({ name, schema }: Json) => name === 'style' && schema.enum.includes('lively')));
  assert.ok(
    !options.some(({ name }: Json) => ['output', 'overwrite', 'bundleStore', 'device'].includes(name)),
  );
  const { samples } = await server.json('/v1/samples');
  const picture = await server.fetch(samples.find(({ name }: Json) => name === 'ada.jpg').url);
  assert.deepEqual(Buffer.from(await picture.arrayBuffer()), readFileSync(PORTRAIT));
  const text = await (await server.fetch('/metrics')).text();
  assert.match(text, /^lcm_portrait_clips_ended_total\{state="succeeded"\} [1-9]\d*$/m);
  assert.match(
    text,
    /^lcm_portrait_http_requests_total\{method="POST",route="\/v1\/clips",status="202"\} \d+$/m,
  );
  assert.ok(!/[A-Za-z0-9_-]{22}"/.test(text)); // ids are secrets
});

test('what is not there or cannot be done is a problem', async () => {
  assert.equal(
    (await problemOf(await server.fetch('/v1/clips/AAAAAAAAAAAAAAAAAAAAAA'))).type,
    '/docs#not-found',
  );
  assert.equal((await server.fetch('/v1/nothing')).status, 404);
  const wrong = await server.fetch('/v1/clips', { method: 'PUT' });
  assert.equal((await problemOf(wrong)).type, '/docs#method-not-allowed');
  assert.match(wrong.headers.get('allow')!, /GET/);
  const { id } = await server.order({ seed: 300 });
  const early = await server.fetch(`/v1/clips/${id}/video`);
  if (early.status !== 200) assert.equal((await problemOf(early)).type, '/docs#conflict');
});

test('a client has so many clips that are not finished, and no more', async () => {
  const small = await ServerProcess.start(temporaryFolder(), { stepMs: 1000, clipsPerClient: 2 });
  const { id } = await small.order();
  await small.order({ seed: 2 });
  const third = await small.post('/v1/clips', {
    portrait: 'sample:ada.jpg',
    audio: 'sample:short.wav',
    seed: 3,
  });
  assert.equal(third.status, 429);
  assert.equal(third.headers.get('retry-after'), '30');
  await small.fetch(`/v1/clips/${id}`, { method: 'DELETE' });
  await small.order({ seed: 4 });
  await small.end('SIGKILL');
});

test('a server that is stopped gives its clips to the next one, which resumes from their checkpoints', async () => {
  const data = temporaryFolder();
  const first = await ServerProcess.start(data, { stepMs: 200, graceSeconds: 0 });
  const clips = [await first.order({ seed: 1 }), await first.order({ seed: 2 })];
  for await (const { data: clip } of first.follow(clips[0].id)) if (clip.progress?.stepsDone > 5) break;
  assert.equal(await first.end('SIGTERM'), 0);
  const checkpoints = readdirSync(path.join(data, 'state/jobs'), { recursive: true, encoding: 'utf8' });
  assert.ok(checkpoints.some((name) => name.endsWith('.ckpt')));
  assert.ok(!existsSync(path.join(data, 'clips', clips[0].id, 'video.mp4')));

  const second = await ServerProcess.start(data, { stepMs: 1 });
  const done = await second.until(clips[0].id, 'succeeded');
  assert.equal(done.state, 'succeeded');
  assert.ok(done.resumedFrames > 0);
  const other = await second.until(clips[1].id, 'succeeded');
  // The same bytes as those of a server that nobody stopped.
  for (const [seed, found] of [
    [1, done],
    [2, other],
  ] as const) {
    const { id } = await server.order({ seed });
    assert.equal((await server.until(id, 'succeeded')).result.sha256, found.result.sha256);
  }
  await second.end('SIGTERM');
  assert.equal(second.child.exitCode, 0);
});

test('one folder has one server', async () => {
  const second = ServerProcess.launch(folder);
  await assert.rejects(
    second.listening(),
    /expected a folder that no other server uses, got one in use by process \d+/,
  );
});
