import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FaceError, MediaError, SubprocessError } from '../../src/errors.ts';
import { currentOwner, formatOwner } from '../../src/files/thread-owner.ts';
import type { BatchEvent, BatchReport } from '../../src/jobs/batch-events.ts';
import type { RunBatchOptions } from '../../src/jobs/batch-options.ts';
import type { RenderRequest } from '../../src/jobs/clip-renderer.ts';
import { BusyOutputs, OutputBusyError } from '../../src/jobs/job-lock.ts';
import { JobTracker } from '../../src/jobs/job-tracker.ts';
import type { JobSpec } from '../../src/jobs/manifest-schema.ts';
import { startBatch } from '../../src/jobs/run-batch.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { denoisingRenderer } from './denoising-renderer.ts';
import { type FakeBehaviour, fakeRenderer } from './fake-renderer.ts';

const LORAS = fileURLToPath(new URL('../golden/lora/', import.meta.url));
const root = temporaryDirectory();
let batches = 0;

/** A folder with inputs `a` to `f`. */
function newFolder(): string {
  const folder = path.join(root, String(batches++));
  mkdirSync(folder);
  for (const name of 'abcdef') writeFileSync(path.join(folder, `${name}.jpg`), `portrait ${name}`);
  writeFileSync(path.join(folder, 's.wav'), 'speech');
  return folder;
}

const job = (name: string, more: Partial<JobSpec> = {}): JobSpec => ({
  portrait: `${name}.jpg`,
  audio: 's.wav',
  output: `${name}.mp4`,
  ...more,
});

interface Batch extends RunBatchOptions {
  readonly folder?: string;
  readonly onEvent?: (event: BatchEvent) => void;
}

/** Runs a batch of `jobs` and returns its report, its events and the names of the clips that were rendered. */
async function runWith(jobs: readonly JobSpec[], behaviour: FakeBehaviour = {}, batch: Batch = {}) {
  const { folder = newFolder(), onEvent, ...options } = batch;
  const rendered: string[] = [];
  let opened = 0;
  const run = startBatch(
    { jobs },
    { baseFolder: folder, reportFolder: false, retryDelay: 0, ...options },
    {
      env: {},
      openRenderer: async () => {
        opened += 1;
        return fakeRenderer({
          ...behaviour,
          onRender: async (request) => {
            rendered.push(nameOf(request));
            await behaviour.onRender?.(request);
          },
        });
      },
    },
  );
  const events: BatchEvent[] = [];
  for await (const event of run) {
    events.push(event);
    onEvent?.(event);
  }
  return { report: await run.report, events, rendered, folder, opened };
}

function nameOf({ options }: RenderRequest): string {
  return path.parse(options.output).name;
}

function untilAborted({ options }: Pick<RenderRequest, 'options'>): Promise<never> {
  const signal = options.signal!;
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

function statesOf(report: BatchReport): string {
  return report.jobs.map(({ state, reused }) => (reused ? 'reused' : state)).join(' ');
}

test('all jobs are done, in order, with one renderer, and announced from the first to the last state', async () => {
  const { report, events, rendered, folder, opened } = await runWith([job('a'), job('b'), job('c')]);
  assert.equal(statesOf(report), 'done done done');
  assert.deepEqual([report.state, report.counts.done, report.formatVersion], ['complete', 3, 1]);
  assert.deepEqual([rendered, opened], [['a', 'b', 'c'], 1]);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'job' && event.job.index === 1 ? event.job.state : [])),
    ['preparing', 'ready', 'rendering', 'done'],
  );
  assert.deepEqual([events[0]!.type, events.at(-1)!.type], ['batch', 'report']);
  assert.equal(readFileSync(path.join(folder, 'b.mp4'), 'utf8'), `${folder}/b.jpg ${folder}/s.wav 42`);
});

test('a second run renders nothing; a third only what has changed or is missing', async () => {
  const jobs = [job('a'), job('b'), job('c'), job('d'), job('e')];
  const { folder } = await runWith(jobs);
  const again = await runWith(jobs, {}, { folder });
  assert.deepEqual([again.rendered, statesOf(again.report)], [[], 'reused reused reused reused reused']);

  writeFileSync(path.join(folder, 'a.jpg'), 'another portrait');
  rmSync(path.join(folder, 'b.mp4'));
  const changed = await runWith(
    [...jobs.slice(0, 3), job('d', { seed: 1 }), job('e', { preset: 'fast', steps: 4 })],
    {},
    {
      folder,
    },
  );
  assert.deepEqual(changed.rendered, ['a', 'b', 'd']);
  assert.equal(statesOf(changed.report), 'done done reused done reused');
});

test('the same contents under other names are the same clip, and a touched file is not a changed one', async () => {
  const { folder } = await runWith([job('a')]);
  writeFileSync(path.join(folder, 'x.jpg'), 'portrait a');
  writeFileSync(path.join(folder, 's.wav'), 'speech');
  const { rendered } = await runWith([job('x', { output: 'a.mp4' })], {}, { folder });
  assert.deepEqual(rendered, []);
});

test('a LoRA counts by its contents, its scale and the settings in its folder', async () => {
  const folder = newFolder();
  const copy = (name: string, as: string) => cpSync(path.join(LORAS, name), path.join(folder, as));
  copy('lora_a_kohya.safetensors', 'a.safetensors');
  copy('lora_a_kohya.safetensors', 'b.safetensors');
  copy('lora_e_peft_plain.safetensors', 'adapter_model.safetensors');
  copy('lora_e_adapter_config.json', 'adapter_config.json');
  const rendered = async (loras?: JobSpec['loras']) =>
    (await runWith([job('a', loras === undefined ? {} : { loras })], {}, { folder })).rendered.length;
  assert.equal(await rendered(), 1);
  assert.equal(await rendered([]), 0);
  assert.equal(await rendered('a.safetensors'), 1);
  assert.equal(await rendered(['b.safetensors:1.0']), 0);
  assert.equal(await rendered('b.safetensors:0.9'), 1);
  copy('lora_b_diffusers_peft.safetensors', 'b.safetensors');
  assert.equal(await rendered('b.safetensors:0.9'), 1);
  assert.equal(await rendered('adapter_model.safetensors'), 1);
  assert.equal(await rendered('adapter_model.safetensors'), 0);
  const config = path.join(folder, 'adapter_config.json');
  writeFileSync(config, readFileSync(config, 'utf8').replace(/"lora_alpha": *\d+/, '"lora_alpha": 3'));
  assert.equal(await rendered('adapter_model.safetensors'), 1);
});

test('a file that is no LoRA fails its job, for good', async () => {
  const { report, rendered } = await runWith([job('a', { loras: 's.wav' }), job('b')]);
  assert.deepEqual([statesOf(report), rendered], ['failed done', ['b']]);
  assert.equal(report.jobs[0]!.attempts, 1);
  assert.match(report.jobs[0]!.failures[0]!.message, /s\.wav: expected at least 8 bytes/);
});

test('a video from elsewhere, or changed since, is not replaced unless that is asked for', async () => {
  const folder = newFolder();
  writeFileSync(path.join(folder, 'a.mp4'), 'holiday');
  const refused = await runWith([job('a'), job('b')], {}, { folder });
  assert.equal(statesOf(refused.report), 'failed done');
  assert.match(refused.report.jobs[0]!.failures[0]!.message, /a\.mp4: expected a new file.*overwrite: true/);
  assert.equal(readFileSync(path.join(folder, 'a.mp4'), 'utf8'), 'holiday');
  writeFileSync(path.join(folder, 'b.mp4'), 'cut by hand');
  assert.equal(statesOf((await runWith([job('b')], {}, { folder })).report), 'failed');
  const forced = await runWith([job('a'), job('b')], {}, { folder, overwrite: true });
  assert.deepEqual(forced.rendered, ['a', 'b']);
});

test('a batch that was ended between a video and its name renders it again, and replaces nothing foreign', async () => {
  const folder = newFolder();
  await runWith([job('a')], {}, { folder });
  const before = readFileSync(path.join(folder, 'a.mp4'));
  // Ended after the record of a new version was written, before the new version was there.
  const options = { folder, overwrite: false };
  await runWith([job('a', { seed: 9 })], {}, options);
  writeFileSync(path.join(folder, 'a.mp4'), before);
  const { rendered, report } = await runWith([job('a', { seed: 9 })], {}, options);
  assert.deepEqual([rendered, statesOf(report)], [['a'], 'done']);
});

test('jobs whose names begin alike for hundreds of bytes keep their unfinished videos', async () => {
  const long = '顔'.repeat(70);
  const names = [`${long}一.mp4`, `${long}二.mp4`, `${long}三.mp4`];
  const folder = newFolder();
  const jobs = names.map((output, i) => job('abc'[i]!, { output }));
  // Each is begun while the one before is rendered, in turns and side by side.
  for (const concurrency of [1, 3]) {
    for (const name of names) rmSync(path.join(folder, name), { force: true });
    const prepared = new Set<string>();
    const { report } = await runWith(
      jobs,
      {
        onPrepare: ({ options }) => void prepared.add(options.output),
        onRender: async () => {
          while (prepared.size < names.length) await nextTurn();
        },
      },
      { folder, concurrency },
    );
    assert.deepEqual(
      report.jobs.map(({ state, attempts }) => [state, attempts]),
      Array(3).fill(['done', 1]),
    );
  }
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.partial')),
    [],
  );
});

test('a video whose unfinished file was removed is rendered again', async () => {
  let attempt = 0;
  const { report, folder } = await runWith([job('a')], {
    onRender: ({ options }) => {
      attempt += 1;
      const partials = readdirSync(path.dirname(options.output)).filter((name) => name.includes('.partial.'));
      assert.equal(partials.length, 1);
      if (attempt === 1) rmSync(path.join(path.dirname(options.output), partials[0]!));
    },
  });
  assert.equal(report.jobs[0]!.state, 'done');
  assert.equal(report.jobs[0]!.attempts, 2);
  assert.doesNotMatch(report.jobs[0]!.failures[0]!.message, /disk/i);
  assert.ok(existsSync(path.join(folder, 'a.mp4')));
});

test('each job fails alone, with its reason', async () => {
  const { report, folder } = await runWith([job('a'), job('b'), job('c')], {
    onPrepare: ({ options: { portrait = '' } }) => {
      if (portrait.endsWith('b.jpg')) throw new FaceError('no face here', portrait, 'no-face');
    },
  });
  assert.equal(statesOf(report), 'done failed done');
  assert.equal(report.state, 'partial');
  assert.deepEqual(report.jobs[1]!.failures, [
    { attempt: 1, kind: 'permanent', code: 'FACE', message: 'no face here' },
  ]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('mp4')),
    ['a.mp4', 'c.mp4'],
  );
});

const killed = () => new SubprocessError('Cannot write video', 'ffmpeg', null, 'SIGKILL', '');

test('what can pass is tried again, as often as the job says, and what cannot is not', async () => {
  const tries: Record<string, number> = {};
  const { report } = await runWith(
    [job('a'), job('b', { attempts: 2 }), job('c', { attempts: 5 }), job('d')],
    {
      onRender: (request) => {
        const name = nameOf(request);
        tries[name] = (tries[name] ?? 0) + 1;
        if (name === 'a' && tries.a! < 3) throw killed();
        if (name === 'b') throw Object.assign(new Error('share went away'), { code: 'ESTALE' });
        if (name === 'c') throw new SubprocessError('Cannot write video', 'ffmpeg', 1, null, 'Invalid data');
      },
    },
  );
  assert.deepEqual(tries, { a: 3, b: 2, c: 1, d: 1 });
  assert.equal(statesOf(report), 'done failed failed done');
  assert.deepEqual(
    report.jobs.map(({ failures }) => failures.map(({ attempt, kind }) => `${attempt} ${kind}`)),
    [['1 passing', '2 passing'], ['1 passing', '2 passing'], ['1 permanent'], []],
  );
});

test('after an engine has failed, the next attempt has a new one', async () => {
  let broken = true;
  const { report, opened } = await runWith([job('a')], {
    onRender: () => {
      if (!broken) return;
      broken = false;
      throw Object.assign(new Error('worker is gone'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
    },
  });
  assert.deepEqual([statesOf(report), opened], ['done', 2]);
});

test('priorities come first, and the next clip is prepared while one is rendered', async () => {
  const log: string[] = [];
  let preparedSecond = () => {};
  const secondIsPrepared = new Promise<void>((resolve) => {
    preparedSecond = resolve;
  });
  await runWith([job('a'), job('b', { priority: 5 }), job('c', { priority: 9 })], {
    onPrepare: (request) => {
      log.push(`prepare ${nameOf(request)}`);
      if (nameOf(request) === 'b') preparedSecond();
    },
    onRender: async (request) => {
      log.push(`render ${nameOf(request)}`);
      if (nameOf(request) === 'c') await secondIsPrepared;
    },
  });
  assert.deepEqual(
    log.filter((line) => line.startsWith('render')),
    ['render c', 'render b', 'render a'],
  );
  assert.ok(log.indexOf('prepare b') < log.indexOf('render b'));
});

test('concurrency gives as many renderers, and no more clips at a time', async () => {
  let now = 0;
  let most = 0;
  const { opened } = await runWith(
    [job('a'), job('b'), job('c'), job('d')],
    {
      onRender: async () => {
        most = Math.max(most, ++now);
        while (most < 2) await nextTurn();
        for (let i = 0; i < 50; i++) await nextTurn();
        now -= 1;
      },
    },
    { concurrency: 2 },
  );
  assert.deepEqual([most, opened], [2, 2]);
});

test('a job that takes longer than its time fails, and the others go on', async () => {
  const { report } = await runWith([job('a', { timeout: 0.05 }), job('b', { timeout: 60 })], {
    onRender: async ({ options }) => {
      if (options.output.endsWith('a.mp4')) await untilAborted({ options });
    },
  });
  assert.equal(statesOf(report), 'failed done');
  assert.equal(report.jobs[0]!.failures[0]!.code, 'TIMEOUT');
  assert.equal(report.jobs[0]!.attempts, 1);
});

test('--fail-fast ends the batch at the first failure; what it had not begun is not done', async () => {
  const { report, folder } = await runWith(
    [job('a'), job('b'), job('c'), job('d'), job('e')],
    {
      onRender: async (request) => {
        if (nameOf(request) === 'b') throw new MediaError('broken', 'b');
        if (nameOf(request) === 'c') await untilAborted(request);
      },
    },
    { failFast: true },
  );
  assert.deepEqual(
    report.jobs.map(({ state }) => state),
    ['done', 'failed', 'cancelled', 'cancelled', 'cancelled'],
  );
  assert.equal(report.state, 'partial');
  assert.equal(existsSync(path.join(folder, 'c.mp4')), false);
});

test('a full disk pauses the job until the others have ended, and then tries once more', async () => {
  const full = () => Object.assign(new Error('no space'), { code: 'ENOSPC' });
  const order: string[] = [];
  const { report, events } = await runWith([job('a'), job('b'), job('c')], {
    onRender: (request) => {
      const name = nameOf(request);
      order.push(name);
      if (name === 'a' && order.filter((each) => each === 'a').length === 1) {
        throw new MediaError('Cannot write checkpoint: a full disk', 'x', { cause: full() });
      }
      if (name === 'b')
        throw new SubprocessError('x', 'ffmpeg', 1, null, 'av_write: No space left on device');
    },
  });
  assert.equal(statesOf(report), 'done paused done');
  assert.deepEqual(order, ['a', 'b', 'c', 'a', 'b']);
  assert.equal(report.jobs[1]!.failures.at(-1)!.kind, 'disk-full');
  assert.ok(
    events.some(
      (event) => event.type === 'job' && event.job.name === 'a.mp4' && event.job.state === 'paused',
    ),
  );
});

test('an abort ends the batch with the reason of the signal; a later run does the rest', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const folder = newFolder();
  const jobs = [job('a'), job('b'), job('c')];
  await assert.rejects(
    runWith(
      jobs,
      {
        onRender: (request) => {
          if (nameOf(request) === 'b') controller.abort(reason);
        },
      },
      { folder, signal: controller.signal, reportFolder: path.join(folder, 'report') },
    ),
    reason,
  );
  const report = JSON.parse(readFileSync(path.join(folder, 'report/report.json'), 'utf8')) as BatchReport;
  assert.equal(report.state, 'stopped');
  assert.equal(statesOf(report), 'done cancelled cancelled');
  const { rendered } = await runWith(jobs, {}, { folder });
  assert.deepEqual(rendered, ['b', 'c']);
});

test('a batch that is started twice at once is done once, and both reports are true', async () => {
  const folder = newFolder();
  const jobs = [...'abcdef'].map((name) => job(name));
  // Each begins a clip before the other's first one ends.
  const begun = new Set<number>();
  let open = (): void => {};
  const bothBegun = new Promise<void>((resolve) => {
    open = resolve;
  });
  const onRender = async (run: number): Promise<void> => {
    begun.add(run);
    if (begun.size === 2) open();
    await bothBegun;
  };
  const runs = await Promise.all(
    [1, 2].map((run) => runWith(jobs, { onRender: () => onRender(run) }, { folder })),
  );
  assert.deepEqual(runs.flatMap(({ rendered }) => rendered).sort(), [...'abcdef']);
  for (const { report, rendered } of runs) {
    assert.equal(report.state, 'complete');
    assert.ok(report.jobs.every(({ state }) => state === 'done'));
    assert.equal(report.counts.reused, 6 - rendered.length);
    assert.ok(report.jobs.every(({ attempts, failures }) => attempts === 1 && failures.length === 0));
  }
  // Both have worked: neither waited for all of the other's.
  assert.ok(runs.every(({ rendered }) => rendered.length > 0));
  const notices = runs.flatMap(({ events }) => events).filter(({ type }) => type === 'notice');
  assert.match(JSON.stringify(notices), /renders it: its video is waited for/);
});

test('what another program fails to render is rendered here', async () => {
  const folder = newFolder();
  let begun = (): void => {};
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const stop = new AbortController();
  const first = runWith(
    [job('a')],
    {
      onRender: async (request) => {
        begun();
        await untilAborted(request);
      },
    },
    { folder, signal: stop.signal },
  ).catch(() => undefined);
  await isBegun;
  const second = runWith(
    [job('a'), job('b')],
    {},
    {
      folder,
      onEvent: (event) => {
        if (event.type === 'job' && event.job.name === 'b.mp4' && event.job.state === 'done') stop.abort();
      },
    },
  );
  await first;
  const { report, rendered } = await second;
  assert.equal(statesOf(report), 'done done');
  assert.deepEqual(rendered, ['b', 'a']);
});

test('a lock of another machine is waited for while its holder shows that it lives', () => {
  let now = 0;
  const busy = new BusyOutputs(() => now);
  const lock = path.join(newFolder(), 'lock');
  const owner = { host: 'elsewhere', pid: 1, thread: 1, started: '' };
  const error = new OutputBusyError('/x/a.mp4', owner, lock);
  writeFileSync(lock, '');
  assert.ok(busy.mayWait(error));
  now = 119;
  assert.ok(busy.mayWait(error));
  utimesSync(lock, 1000, 1000);
  now = 121;
  assert.ok(busy.mayWait(error), 'it was touched');
  now = 240;
  assert.ok(busy.mayWait(error));
  now = 242;
  assert.ok(!busy.mayWait(error));
  assert.ok(busy.mayWait(new OutputBusyError('/x/a.mp4', currentOwner(), lock)), 'this process runs');
});

test('pictures without a face are found before anything is rendered, each looked at once', async () => {
  const folder = newFolder();
  const log: string[] = [];
  const noFace = (name: string) => new FaceError(`no face in ${name}`, name, 'no-face');
  const behaviour: FakeBehaviour = {
    onExamine: ({ portrait }) => {
      const name = path.basename(portrait!);
      log.push(`look ${name}`);
      if (/[be]/.test(name.replace('.jpg', ''))) throw noFace(name);
    },
    onRender: (request) => void log.push(`render ${nameOf(request)}`),
  };
  const jobs = [...'abcdea'].map((name, i) => job(name, { output: `${i}.mp4` }));
  const { report, events } = await runWith(jobs, behaviour, { folder });
  assert.equal(statesOf(report), 'done failed done done failed done');
  assert.deepEqual(log.slice(0, 5), ['look a.jpg', 'look b.jpg', 'look c.jpg', 'look d.jpg', 'look e.jpg']);
  assert.ok(log.slice(5).every((line) => line.startsWith('render')) && log.length === 9);
  assert.match(report.jobs[1]!.failures[0]!.message, /no face in b\.jpg/);
  assert.equal(report.jobs[1]!.attempts, 1);
  const checks = events.flatMap((event) => (event.type === 'check' ? [event.done] : []));
  assert.deepEqual(checks, [0, 1, 2, 3, 4, 5]);
  // What is there already is not looked at, and one picture is seen by its own job.
  log.length = 0;
  await runWith(jobs.slice(0, 4), behaviour, { folder });
  assert.deepEqual(log, ['look b.jpg']);
  log.length = 0;
  await runWith([job('f', { output: 'f1.mp4' }), job('f', { output: 'f2.mp4', seed: 1 })], behaviour, {
    folder,
  });
  assert.deepEqual(
    log.filter((line) => line.startsWith('look')),
    [],
  );
});

test('--fail-fast renders nothing where a picture has no face; what can pass is left to the attempts', async () => {
  const { report, rendered } = await runWith(
    [job('a'), job('b'), job('c')],
    {
      onExamine: ({ portrait }) => {
        if (portrait!.endsWith('c.jpg')) throw new FaceError('no face', 'c', 'no-face');
      },
    },
    { failFast: true },
  );
  assert.deepEqual(rendered, []);
  assert.equal(statesOf(report), 'cancelled cancelled failed');
  const passing = await runWith([job('a'), job('b')], {
    onExamine: () => {
      throw Object.assign(new Error('busy'), { code: 'EBUSY' });
    },
  });
  assert.equal(statesOf(passing.report), 'done done');
});

test('--fail-fast keeps the checkpoints of what is being rendered, says so, and the next run resumes from them', async () => {
  const folder = newFolder();
  const jobs = [job('a'), job('b')];
  let saved = (): void => {};
  const isSaved = new Promise<void>((resolve) => {
    saved = resolve;
  });
  const run = (failing: boolean) =>
    startBatch(
      { jobs },
      { baseFolder: folder, reportFolder: false, failFast: true },
      {
        env: {},
        openRenderer: async () => {
          const real = denoisingRenderer(2);
          return {
            ...real,
            prepare: async (request) => {
              if (failing && request.options.output.endsWith('b.mp4')) {
                await isSaved;
                throw new MediaError('broken', 'b');
              }
              const { checkpoints } = request;
              return real.prepare({
                ...request,
                checkpoints: {
                  load: (shape) => checkpoints.load(shape),
                  flush: () => checkpoints.flush(),
                  save: async (point) => {
                    await checkpoints.save(point);
                    if (point.index === 1) saved();
                  },
                },
              });
            },
          };
        },
      },
    );
  const first = run(true);
  const notices: string[] = [];
  for await (const event of first) if (event.type === 'notice') notices.push(event.message);
  assert.equal(statesOf(await first.report), 'cancelled failed');
  assert.match(notices.join(), /stopped, because b\.mp4 has failed; its checkpoints are kept/);
  const again = await run(false).report;
  assert.equal(statesOf(again), 'done done');
  assert.ok(again.jobs[0]!.resumedFrames > 0);
});

test('the time of a job is that of its own work; what it waits for others is counted apart', () => {
  let now = 0;
  const events: BatchEvent[] = [];
  const options = { portrait: 'a.jpg', audio: 's.wav', output: 'a.mp4' };
  const one = { index: 0, name: 'a', place: '', options, priority: 0, attempts: 2 };
  const tracker = new JobTracker(
    'm',
    [one],
    (event) => events.push(event),
    () => now,
  );
  const at = (second: number, act: () => void): void => {
    now = second;
    act();
  };
  at(10, () => tracker.begin(0));
  at(13, () => tracker.setState(0, 'preparing'));
  at(14, () => tracker.setState(0, 'ready'));
  at(20, () => tracker.setState(0, 'rendering'));
  at(22, () => tracker.setState(0, 'waiting'));
  at(30, () => tracker.begin(0));
  at(31, () => tracker.setState(0, 'preparing'));
  at(33, () => tracker.setState(0, 'rendering'));
  at(37, () =>
    tracker.done(0, { reused: false, clip: { frames: 1, fps: 25, width: 2, height: 2, seconds: 0 } }),
  );
  const { seconds, waitSeconds } = tracker.jobs[0]!;
  assert.deepEqual([seconds, waitSeconds], [1 + 2 + 2 + 4, 3 + 6 + 1]);
});

test('the lock of a process that was killed blocks no other', async () => {
  const { folder } = await runWith([job('a')]);
  const jobs = path.join(folder, '.lcm-portrait/jobs');
  const [only] = readdirSync(jobs);
  rmSync(path.join(folder, 'a.mp4'));
  // Process ids end below this number on Linux, and far below it elsewhere.
  const owner = { host: os.hostname(), pid: 2 ** 22 + 1, thread: 2 ** 22 + 1, started: '1' };
  writeFileSync(path.join(jobs, only!, `lock.1-01234567-${formatOwner(owner)}`), '');
  assert.equal(statesOf((await runWith([job('a')], {}, { folder })).report), 'done');
  assert.deepEqual(readdirSync(path.join(jobs, only!)), ['record.json']);
});

test('missing folders of outputs are made', async () => {
  const { folder } = await runWith([job('a', { output: 'x/y/a.mp4' })]);
  assert.ok(statSync(path.join(folder, 'x/y/a.mp4')).size > 0);
});

test('events that nobody reads do not keep a batch from its end', async () => {
  const folder = newFolder();
  const run = startBatch(
    { jobs: [job('a')] },
    { baseFolder: folder, reportFolder: false },
    { env: {}, openRenderer: async () => fakeRenderer() },
  );
  assert.equal((await run.report).state, 'complete');
});
