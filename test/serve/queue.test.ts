/** A server in front of a queue: workers render, which see the data folder under a path of their own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisServer } from '../helpers/redis-server.ts';
import { noRedis } from '../helpers/requirements.ts';
import { LOADER, moduleFile, ROOT } from '../helpers/run-program.ts';
import { jsonOf, PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

const WORKER = moduleFile('test/jobs/fixtures/queue-worker.ts');
const options = { skip: noRedis };
const root = temporaryFolder();
const redis = noRedis ? undefined! : await RedisServer.start(newFolder('redis'));
let databases = 0;

function newFolder(name: string): string {
  const folder = path.join(root, name);
  mkdirSync(folder);
  return folder;
}

/** A queue of its own, and a folder that workers see by another name. */
function newPlace(name: string) {
  const data = newFolder(name);
  const seen = `${data}-as-workers-see-it`;
  symlinkSync(data, seen);
  return { data, seen, queue: redis.url.replace(/0$/, String(databases++)) };
}

type Place = ReturnType<typeof newPlace>;

/**
 * Starts a worker.
 *
 * @param frames - draws clips of so many frames; denoises by arithmetic without.
 * @param lock - seconds after which its job goes to another when it is killed; a busy machine lets short ones expire.
 */
function startWorker({ queue, seen }: Place, stepMs: number, { frames = 0, lock = 60 } = {}) {
  const args = [...LOADER, WORKER, queue, seen, String(stepMs), String(lock), String(frames)];
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  after(() => child.kill('SIGKILL'));
  return child;
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await ended;
}

test('a clip of uploads is rendered by a worker, and watched meanwhile', options, async () => {
  const place = newPlace('live');
  const server = await ServerProcess.start(place.data, { queue: place.queue });
  const form = new FormData();
  form.append('portrait', new Blob([readFileSync(PORTRAIT)]), 'anna.jpg');
  form.append('audio', new Blob([readFileSync(SPEECH)]), 'hello.wav');
  const clip = await jsonOf(await server.fetch('/v1/clips', { method: 'POST', body: form }));
  const worker = startWorker(place, 100, { frames: 40 });
  let sawProgress = false;
  const live = server.fetch(clip.links.live).then(async ({ status, body }) => {
    const { value } = await body!.getReader().read();
    return { status, bytes: value!.length, state: (await server.json(clip.links.self)).state };
  });
  for await (const { data } of server.follow(clip.id)) sawProgress ||= data.progress?.fraction > 0;
  assert.ok(sawProgress);
  const { status, bytes, state } = await live;
  assert.deepEqual([status, bytes > 0, state], [200, true, 'processing']);
  const done = await server.json(clip.links.self);
  assert.equal(done.state, 'succeeded');
  assert.deepEqual(done.notices, ['the portrait anna.jpg is looked at']);
  const video = Buffer.from(await (await server.fetch(done.links.video)).arrayBuffer());
  assert.equal(video.length, done.result.bytes);
  while (existsSync(path.join(place.data, 'clips', clip.id, 'live.mp4'))) await sleep(20); // it goes soon
  assert.deepEqual(readdirSync(path.join(place.data, 'samples')).length, 6);
  await endOf(worker, 'SIGTERM');
  assert.equal(await server.end('SIGTERM'), 0);
});

test(
  'clips that run and clips that wait are cancelled, and the others go on in their order',
  options,
  async () => {
    const place = newPlace('cancel');
    const server = await ServerProcess.start(place.data, { queue: place.queue });
    const clips = [];
    for (let seed = 0; seed < 4; seed++) clips.push(await server.order({ seed }));
    const worker = startWorker(place, 50);
    const [running, waiting, third, fourth] = clips.map(({ id }) => id);
    await server.until(running, 'processing');
    for (const id of [waiting, running]) {
      const canceled = await jsonOf(await server.fetch(`/v1/clips/${id}`, { method: 'DELETE' }));
      assert.equal(canceled.state, 'canceled');
    }
    const [a, b] = [await server.until(third, 'succeeded'), await server.until(fourth, 'succeeded')];
    assert.deepEqual([a.state, b.state], ['succeeded', 'succeeded']);
    assert.ok(a.startedAt <= b.startedAt);
    // Of those that were cancelled nothing is left that is not remembered, neither video nor checkpoint.
    for (const id of [running, waiting]) {
      assert.deepEqual(readdirSync(path.join(place.data, 'clips', id)), ['clip.json']);
    }
    const kept = readdirSync(path.join(place.data, 'state/jobs'), { recursive: true, encoding: 'utf8' });
    assert.ok(!kept.some((name) => name.endsWith('.ckpt')), kept.join());
    const failing = await server.orderComparison();
    assert.equal((await server.untilOf(failing.links.self, 'succeeded')).state, 'succeeded'); // by the server itself
    await endOf(worker, 'SIGTERM');
    assert.equal(await server.end('SIGTERM'), 0);
  },
);

test('workers, server and queue are killed in the middle: the same bytes come of it', options, async () => {
  const own = await ServerProcess.start(temporaryFolder());
  const expected = [];
  for (const seed of [1, 2]) {
    const { id } = await own.order({ seed });
    expected.push((await own.until(id, 'succeeded')).result.sha256);
  }
  await own.end('SIGKILL');

  const place = newPlace('kill');
  const first = await ServerProcess.start(place.data, { queue: place.queue });
  const ids = [];
  for (const seed of [1, 2]) ids.push((await first.order({ seed })).id);
  const worker = startWorker(place, 60, { lock: 2 });
  for await (const { data } of first.follow(ids[0])) if (data.progress?.stepsDone > 9) break;
  await endOf(worker, 'SIGKILL');
  const other = startWorker(place, 60, { lock: 2 });
  // The lock of the first worker ends, and another resumes from its checkpoints, while no server follows it.
  for await (const { data } of first.follow(ids[0])) if (data.resumedFrames > 0) break;
  await first.end('SIGKILL');
  await redis.down('SIGKILL');
  await sleep(200);
  await redis.up();
  const second = await ServerProcess.start(place.data, { queue: place.queue });
  const found = [];
  for (const id of ids) found.push((await second.until(id, 'succeeded')).result.sha256);
  assert.deepEqual(found, expected);
  await endOf(other, 'SIGTERM');
  assert.equal(await second.end('SIGTERM'), 0);
});

test(
  'a queue that is not there, and a concurrency that workers have, are reported at the start',
  options,
  async () => {
    const nowhere = ServerProcess.launch(temporaryFolder(), { queue: 'redis://user:secret@127.0.0.1:1/0' });
    await assert.rejects(
      nowhere.listening(),
      /Cannot use queue redis:\/\/…@127\.0\.0\.1:1\/0: .*ECONNREFUSED/,
    );
    assert.ok(!nowhere.stderr.includes('secret'));
    const both = ServerProcess.launch(temporaryFolder(), { queue: redis.url, concurrency: 2 });
    await assert.rejects(both.listening(), /Cannot use concurrency: expected none with queue/);
  },
);
