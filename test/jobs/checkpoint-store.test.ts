import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  atEveryStep,
  countWindowSteps,
  planContextWindows,
  planLoopedWindows,
  planMovingWindows,
  type WindowPlan,
} from '../../src/denoising/context-windows.ts';
import { type Denoiser, denoiseClip } from '../../src/denoising/denoise-clip.ts';
import { CheckpointStore, checkpointBytes, folderBytes } from '../../src/jobs/checkpoint-store.ts';
import { createScheduler, type Sampler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const FRAME_SHAPE = [2, 3, 4] as const;
const FRAMES = 37;
const WINDOWS = planContextWindows(FRAMES, { contextFrames: 6, contextOverlap: 2 });
const folder = temporaryDirectory();
let folders = 0;

/** Mixes all frames of a window, so that every bit depends on what was kept of the windows before. */
const mixing: Denoiser = {
  async conditional({ data, dims }: Tensor, timestep: number): Promise<Tensor> {
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    return { data: data.map((x, i) => Math.sin(x + i * mean) + 1e-3 * timestep * mean), dims };
  },
};

class Killed extends Error {}

interface Run {
  readonly store?: CheckpointStore | undefined;
  readonly sampler?: Sampler;
  readonly steps?: number;
  /** Those of each step. */
  readonly windows?: WindowPlan;
  /** Evaluations of the denoiser after which the run is killed. */
  readonly killAfter?: number;
}

/** Renders, or goes on rendering, and returns all frames with the number of evaluations that it took. */
async function render(run: Run) {
  const { store, sampler = 'lcm', steps = 4, killAfter = Number.POSITIVE_INFINITY } = run;
  const { windows = atEveryStep(WINDOWS, steps) } = run;
  const scheduler = createScheduler({
    sampler,
    numInferenceSteps: steps,
    noiseSchedule: createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true }),
    predictionType: 'v_prediction',
    timestepSpacing: 'trailing',
  });
  const resume = await store?.load({
    frames: FRAMES,
    windows: windows.at(-1)!.length,
    steps,
    frameShape: FRAME_SHAPE,
    device: 'cpu',
  });
  let evaluations = 0;
  const frames: Float32Array[] = [];
  for await (const { frame, latents } of denoiseClip({
    denoiser: {
      async conditional(...args) {
        if (evaluations === killAfter) throw new Killed();
        evaluations += 1;
        return mixing.conditional(...args);
      },
    },
    scheduler,
    guidanceScale: 1,
    windows,
    frameShape: FRAME_SHAPE,
    seed: 5,
    sharedFraction: 0.5,
    resume,
    onSavePoint: store && ((point) => store.save(point)),
  })) {
    assert.equal(frame, frames.length, 'frames come in order');
    frames.push(latents.data);
  }
  await store?.flush();
  return { frames, evaluations };
}

function storeIn(where: string, { key = 'key', warnings = [] as string[] } = {}): CheckpointStore {
  return new CheckpointStore({ folder: where, key, onWarning: (message) => warnings.push(message) });
}

function newFolder(): string {
  return path.join(folder, `clip-${folders++}`);
}

/** A folder as a run leaves it that was killed after so many evaluations. */
async function killedRun(killAfter: number, run: Run = {}): Promise<string> {
  const where = newFolder();
  const store = storeIn(where);
  await assert.rejects(render({ ...run, store, killAfter }), Killed);
  await store.flush();
  return where;
}

function assertSameBits(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  const bytes = (frames: readonly Float32Array[]) =>
    Buffer.concat(frames.map((frame) => Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)));
  assert.ok(bytes(actual).equals(bytes(expected)), 'the bits differ');
}

for (const [sampler, steps, layout, apart] of [
  ['lcm', 4, 'overlapping', 5],
  ['ddim', 7, 'overlapping', 13],
  ['dpmsolver', 5, 'overlapping', 9], // has a history
  ['lcm', 4, 'moving', 5],
  ['ddim', 9, 'moving', 13], // more steps than places
  ['dpmsolver', 5, 'moving', 9],
] as const) {
  test(`${sampler}, ${layout} windows: killed after every ${apart}th evaluation, a clip goes on to the same bits`, async () => {
    const windows =
      layout === 'moving'
        ? planMovingWindows(FRAMES, { contextFrames: 6, steps })
        : atEveryStep(WINDOWS, steps);
    const run = { sampler, steps, windows };
    const whole = await render(run);
    assert.equal(whole.evaluations, countWindowSteps(windows));
    let saved = 0;
    for (let killAfter = 0; killAfter < whole.evaluations; killAfter += apart) {
      const where = await killedRun(killAfter, run);
      const resumed = await render({ ...run, store: storeIn(where) });
      assertSameBits(resumed.frames, whole.frames);
      saved += whole.evaluations - resumed.evaluations;
    }
    assert.ok(saved > 0, 'something was kept');
  });
}

test('windows that wrap around finish at the very end: the steps before are kept all the same', async () => {
  const windows = planLoopedWindows(FRAMES, { contextFrames: 8, contextOverlap: 2 });
  const run = { windows: atEveryStep(windows, 6), sampler: 'ddim', steps: 6 } as const;
  const whole = await render(run);
  const killAfter = whole.evaluations - windows.length - 1; // none has taken its last step
  const where = await killedRun(killAfter, run);
  const resumed = await render({ ...run, store: storeIn(where) });
  assertSameBits(resumed.frames, whole.frames);
  assert.ok(resumed.evaluations <= windows.length + 1 + 2 * 6, `${resumed.evaluations} were left to do`);
});

test('a run that was killed many times takes few evaluations more than one that was not', async () => {
  const whole = await render({});
  const where = newFolder();
  let total = 0;
  for (let kills = 0; ; kills++) {
    assert.ok(kills < 100, 'it gets on');
    const store = storeIn(where);
    try {
      const { frames, evaluations } = await render({ store, killAfter: 4 + (kills === 0 ? 8 : 0) });
      assertSameBits(frames, whole.frames);
      total += evaluations;
      break;
    } catch (error) {
      assert(error instanceof Killed);
      total += 4 + (kills === 0 ? 8 : 0);
      await store.flush();
    }
  }
  assert.ok(total < 2 * whole.evaluations, `${total} instead of ${whole.evaluations}`);
});

const LAST = 5;
const damages: readonly (readonly [title: string, damage: (file: string, first: string) => void])[] = [
  ['cut', (file) => truncateSync(file, readFileSync(file).length - 7)],
  ['emptied', (file) => truncateSync(file, 0)],
  [
    'altered in one bit',
    (file) => {
      const bytes = readFileSync(file);
      bytes[bytes.length - 100]! ^= 1;
      writeFileSync(file, bytes);
    },
  ],
  ['replaced by another', (file, first) => copyFileSync(first, file)],
];

for (const kind of ['frames', 'state'] as const) {
  for (const [title, damage] of damages) {
    test(`the last ${kind} file ${title}: a warning, and the window is rendered again`, async () => {
      const whole = await render({});
      // Killed in the window after the last that is kept.
      const where = await killedRun(4 * (LAST + 1) + 6);
      const files = readdirSync(where)
        .filter((name) => name.startsWith(kind))
        .sort();
      const name = files.at(-1)!;
      damage(path.join(where, name), path.join(where, files[0]!));
      const warnings: string[] = [];
      const { frames, evaluations } = await render({ store: storeIn(where, { warnings }) });
      assertSameBits(frames, whole.frames);
      assert.ok(
        warnings.some((warning) => warning.includes(name)),
        warnings.join(),
      );
      assert.ok(evaluations < whole.evaluations, 'the windows before are kept');
    });
  }
}

test('checkpoints of other inputs, options or devices are not used, and go', async () => {
  const where = await killedRun(20);
  const warnings: string[] = [];
  const { evaluations } = await render({ store: storeIn(where, { key: 'another', warnings }) });
  assert.equal(evaluations, WINDOWS.length * 4);
  assert.deepEqual(warnings, []);
  const shape = { frames: FRAMES, windows: WINDOWS.length, steps: 4, frameShape: FRAME_SHAPE };
  const same = await storeIn(where, { key: 'another' }).load({ ...shape, device: 'cpu' });
  assert.equal(same?.state.finalBefore.at(-1), FRAMES);
  assert.equal(await storeIn(where, { key: 'another' }).load({ ...shape, device: 'cuda' }), undefined);
  assert.deepEqual(readdirSync(where), []);
});

test('a file that was being written when the run was killed does no harm and goes', async () => {
  const whole = await render({});
  const where = await killedRun(30);
  writeFileSync(path.join(where, 'frames-000007.ckpt.1234abcd.partial'), 'LCPCKPT1');
  const warnings: string[] = [];
  const { frames } = await render({ store: storeIn(where, { warnings }) });
  assertSameBits(frames, whole.frames);
  assert.deepEqual(warnings, []);
  assert.ok(readdirSync(where).every((name) => !name.includes('partial')));
});

test('the folder stays within its limit, and goes in the end', async () => {
  const where = newFolder();
  const store = storeIn(where);
  await render({ store });
  const bound = checkpointBytes({
    frames: FRAMES,
    windows: WINDOWS.length,
    windowFrames: 6,
    steps: 4,
    frameValues: 24,
  });
  const headers = 1500 * readdirSync(where).length;
  const size = await folderBytes(where);
  assert.ok(size <= bound + headers, `${size} bytes, limit ${bound}`);
  assert.ok(readdirSync(where).filter((name) => name.startsWith('state')).length <= 3);
  await store.remove();
  assert.throws(() => readdirSync(where), { code: 'ENOENT' });
});

test('what could not be written is thrown at the next window', async () => {
  const where = newFolder();
  writeFileSync(where, 'a file where the folder should be');
  await assert.rejects(render({ store: storeIn(where) }), /^MediaError: Cannot write checkpoint/);
});
