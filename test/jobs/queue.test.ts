import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError, InvalidOptionError } from '../../src/errors.ts';
import type { BatchEvent, BatchReport } from '../../src/jobs/batch-events.ts';
import type { JobSpec } from '../../src/jobs/manifest-schema.ts';
import { redactUrl } from '../../src/jobs/queue-connection.ts';
import { startBatch } from '../../src/jobs/run-batch.ts';
import { listDeadLetters } from '../../src/jobs/run-queued.ts';
import type { WorkerEvent } from '../../src/jobs/worker-options.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import { noRedis } from '../helpers/requirements.ts';
import { LOADER, moduleFile } from '../helpers/run-program.ts';
import { denoisingRenderer } from './denoising-renderer.ts';

const WORKER = moduleFile('test/jobs/fixtures/queue-worker.ts');
const options = { skip: noRedis };
const root = temporaryDirectory();
const NAMES = ['a', 'b', 'c', 'd'];
/** Of an evaluation, where a clip is to be stopped in the middle: it has some twenty left then, and this machine may be busy. */
const LONG_MS = 200;

function newFolder(name: string): string {
  const folder = path.join(root, name);
  mkdirSync(path.join(folder, 'redis'), { recursive: true });
  for (const each of NAMES) writeFileSync(path.join(folder, `${each}.jpg`), `portrait ${each}`);
  writeFileSync(path.join(folder, 's.wav'), 'speech');
  return folder;
}

const jobs = (names: readonly string[], more: Partial<JobSpec> = {}): JobSpec[] =>
  names.map((name, seed) => ({
    portrait: `${name}.jpg`,
    audio: 's.wav',
    output: `out/${name}.mp4`,
    seed,
    ...more,
  }));

/** Starts a batch; `queue` undefined renders here. */
function batchOf(folder: string, list: readonly JobSpec[], queue?: string, signal?: AbortSignal) {
  return startBatch(
    { jobs: list },
    {
      ...{ baseFolder: folder, reportFolder: false as const, retryDelay: 0.1 },
      ...(queue !== undefined && { queue }),
      ...(signal && { signal }),
    },
    { env: {}, openRenderer: async () => denoisingRenderer(0) },
  );
}

/** The bytes that an undisturbed batch in this process makes. */
async function expectedOf(folder: string, list: readonly JobSpec[]): Promise<Map<string, Buffer>> {
  const copy = `${folder}-expected`;
  cpSync(folder, copy, { recursive: true, filter: (file) => !file.includes('redis') });
  assert.equal((await batchOf(copy, list).report).state, 'complete');
  return outputsOf(copy);
}

function outputsOf(folder: string): Map<string, Buffer> {
  const out = path.join(folder, 'out');
  return new Map(readdirSync(out).map((name) => [name, readFileSync(path.join(out, name))]));
}

const started = new Set<ChildProcess>();
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** Starts a worker process; `events` grows. A busy machine lets no lock expire, unless it is made short to do so. */
function startWorker(url: string, { shared = '-', stepMs = 15, lock = 60 } = {}) {
  const args = [...LOADER, WORKER, url, shared, String(stepMs), String(lock)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  const events: WorkerEvent[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    events.push(...lines.map((line) => JSON.parse(line)));
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      started.delete(child);
      resolve();
    });
  });
  return { child, events, ended, names: (type: string) => namesOf(events, type) };
}

function namesOf(events: readonly WorkerEvent[], type: string): string[] {
  return events.flatMap((event) => (event.type === type && 'job' in event ? [event.job] : []));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

/** Resolves when a job has been rendered for a while. */
async function untilRendering(events: AsyncIterable<BatchEvent>): Promise<void> {
  for await (const event of events) {
    if (event.type === 'progress' && event.framesDone >= 8) return;
  }
}

function statesOf({ jobs: list }: BatchReport): string {
  return list.map(({ state, reused }) => (reused ? 'reused' : state)).join(' ');
}

test(
  'two workers share the jobs of a batch; each is rendered once, with the bytes of a batch without queue',
  options,
  async () => {
    const folder = newFolder('share');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const list = jobs(NAMES);
    const workers = [startWorker(redis.url), startWorker(redis.url)];
    const report = await batchOf(folder, list, redis.url).report;
    assert.equal(statesOf(report), 'done done done done');
    const done = () => workers.flatMap(({ names }) => names('done'));
    await until(() => done().length >= NAMES.length); // their words come another way
    assert.deepEqual(
      done().sort(),
      NAMES.map((name) => `out/${name}.mp4`),
    );
    assert.ok(report.jobs.every(({ worker, denoiseSeconds }) => worker !== undefined && denoiseSeconds! > 0));
    assert.deepEqual(outputsOf(folder), await expectedOf(folder, list));

    // Run again: nothing is queued. With one video gone, only that one is.
    assert.equal(statesOf(await batchOf(folder, list, redis.url).report), 'reused reused reused reused');
    rmSync(path.join(folder, 'out/b.mp4'));
    assert.equal(statesOf(await batchOf(folder, list, redis.url).report), 'reused done reused reused');
    for (const { child } of workers) child.kill('SIGTERM');
    await Promise.all(workers.map(({ ended }) => ended));
  },
);

test(
  'a worker that is killed: another resumes from its checkpoints, to the same bytes',
  options,
  async () => {
    const folder = newFolder('kill');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const list = jobs(['a', 'b']);
    const first = startWorker(redis.url, { stepMs: LONG_MS, lock: 2 });
    const run = batchOf(folder, list, redis.url);
    await untilRendering(run);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = startWorker(redis.url, { stepMs: 5, lock: 2 });
    const report = await run.report;
    assert.equal(statesOf(report), 'done done');
    assert.ok(
      report.jobs.some(({ resumedFrames }) => resumedFrames > 0),
      'nothing was rendered from checkpoints',
    );
    assert.deepEqual(outputsOf(folder), await expectedOf(folder, list));
    second.child.kill('SIGTERM');
    await second.ended;
  },
);

test(
  'SIGTERM: a worker hands its job back at once, and another resumes from its checkpoints',
  options,
  async () => {
    const folder = newFolder('drain');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const list = jobs(['a']);
    // A lock so long that the job would not be found otherwise.
    const first = startWorker(redis.url, { stepMs: LONG_MS, lock: 600 });
    const run = batchOf(folder, list, redis.url);
    await untilRendering(run);
    first.child.kill('SIGTERM');
    await first.ended;
    assert.equal(first.child.exitCode, 0);
    assert.deepEqual(first.names('handed-back'), ['out/a.mp4']);
    const second = startWorker(redis.url, { stepMs: 5, lock: 600 });
    const report = await run.report;
    assert.equal(statesOf(report), 'done');
    assert.ok(report.jobs[0]!.resumedFrames > 0);
    assert.deepEqual(report.jobs[0]!.failures, []);
    assert.deepEqual(outputsOf(folder), await expectedOf(folder, list));
    second.child.kill('SIGTERM');
    await second.ended;
  },
);

test(
  'Redis restarts in the middle, with and without its data: nothing is lost or doubled',
  options,
  async () => {
    const folder = newFolder('restart');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const list = jobs(NAMES);
    const worker = startWorker(redis.url, { stepMs: 10, lock: 2 });
    const run = batchOf(folder, list, redis.url);
    const notices: string[] = [];
    let seen = 0;
    for await (const event of run) {
      if (event.type === 'notice') notices.push(event.message);
      if (event.type !== 'job' || event.job.state !== 'done') continue;
      seen += 1;
      if (seen > 2) continue;
      await redis.down('SIGKILL');
      if (seen === 2) rmSync(path.join(folder, 'redis'), { recursive: true, force: true });
      mkdirSync(path.join(folder, 'redis'), { recursive: true });
      await sleep(200);
      await redis.up();
    }
    const report = await run.report;
    assert.equal(report.state, 'complete');
    assert.ok(
      notices.some((notice) => notice.includes('gets it again')),
      notices.join(),
    );
    assert.deepEqual(outputsOf(folder), await expectedOf(folder, list));
    worker.child.kill('SIGTERM');
    await worker.ended;
  },
);

test(
  'a worker whose thread is held up loses its job, and leaves the result to the one that has it',
  options,
  async () => {
    const folder = newFolder('stall');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const list = jobs(['a']);
    const first = startWorker(redis.url, { stepMs: LONG_MS, lock: 1 });
    const run = batchOf(folder, list, redis.url);
    await untilRendering(run);
    first.child.kill('SIGSTOP');
    const second = startWorker(redis.url, { stepMs: 5, lock: 1 });
    const report = await run.report;
    assert.equal(statesOf(report), 'done');
    await until(() => second.names('done').length > 0);
    assert.deepEqual(second.names('done'), ['out/a.mp4']);
    first.child.kill('SIGCONT');
    await until(() => first.names('handed-back').length > 0 || first.names('done').length > 0);
    assert.deepEqual(outputsOf(folder), await expectedOf(folder, list));
    for (const { child } of [first, second]) child.kill('SIGTERM');
    await Promise.all([first.ended, second.ended]);
  },
);

test(
  'jobs that fail are dead letters with their reasons, and get another chance from the next batch',
  options,
  async () => {
    const folder = newFolder('dead');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const worker = startWorker(redis.url, { stepMs: 1 });
    mkdirSync(path.join(folder, 'out'));
    writeFileSync(path.join(folder, 'out/b.mp4'), 'holiday');
    const list = jobs(['a', 'b']);
    const report = await batchOf(folder, list, redis.url).report;
    assert.equal(statesOf(report), 'done failed');
    assert.match(report.jobs[1]!.failures[0]!.message, /expected a new file/);
    const letters = await listDeadLetters(redis.url);
    assert.deepEqual(
      letters.map(({ name }) => name),
      ['out/b.mp4'],
    );
    assert.match(letters[0]!.reason, /expected a new file/);
    assert.equal(letters[0]!.failures[0]!.code, 'MEDIA');
    rmSync(path.join(folder, 'out/b.mp4'));
    assert.equal(statesOf(await batchOf(folder, list, redis.url).report), 'reused done');
    assert.deepEqual(await listDeadLetters(redis.url), []);
    worker.child.kill('SIGTERM');
    await worker.ended;
  },
);

test(
  'a worker sees the shared folder under a path of its own, and refuses other files under its names',
  options,
  async () => {
    const folder = newFolder('shared');
    const elsewhere = newFolder('elsewhere');
    writeFileSync(path.join(elsewhere, 'b.jpg'), 'somebody else');
    const redis = await RedisServer.start(path.join(folder, 'redis'));
    const worker = startWorker(redis.url, { shared: elsewhere, stepMs: 1 });
    const report = await batchOf(folder, jobs(['a', 'b']), redis.url).report;
    assert.equal(statesOf(report), 'done failed');
    assert.match(report.jobs[1]!.failures[0]!.message, /that were queued, got others/);
    assert.deepEqual(readdirSync(path.join(elsewhere, 'out')), ['a.mp4']);
    worker.child.kill('SIGTERM');
    await worker.ended;
  },
);

test('a batch that is ended leaves its jobs to the workers; the next run follows them', options, async () => {
  const folder = newFolder('detach');
  const redis = await RedisServer.start(path.join(folder, 'redis'));
  const list = jobs(['a', 'b']);
  const controller = new AbortController();
  const worker = startWorker(redis.url, { stepMs: 60 });
  const run = batchOf(folder, list, redis.url, controller.signal);
  await untilRendering(run);
  controller.abort(new Error('enough'));
  await assert.rejects(run.report, /enough/);
  const report = await batchOf(folder, list, redis.url).report;
  assert.equal(report.state, 'complete');
  assert.deepEqual(worker.names('begin').sort(), ['out/a.mp4', 'out/b.mp4']);
  worker.child.kill('SIGTERM');
  await worker.ended;
});

test('a server that is not there is reported at once, without the password', async () => {
  const folder = newFolder('nowhere');
  const run = batchOf(folder, jobs(['a']), 'redis://user:secret@127.0.0.1:1/0');
  await assert.rejects(run.report, (error) => {
    assert(error instanceof EnvironmentError);
    assert.match(error.message, /Cannot use queue redis:\/\/…@127\.0\.0\.1:1\/0: .*ECONNREFUSED/);
    assert.ok(!error.message.includes('secret'));
    return true;
  });
  await assert.rejects(batchOf(folder, jobs(['a']), 'http://x').report, InvalidOptionError);
  assert.equal(redactUrl('redis://:pw@host/1'), 'redis://…@host/1');
});
