import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  atEveryStep,
  type ContextWindow,
  countWindowSteps,
  countWindowsOfFirst,
  orderWindowSteps,
  planContextWindows,
  planMovingWindows,
  type WindowPlan,
} from '../../src/denoising/context-windows.ts';
import {
  countStepsTaken,
  type Denoiser,
  denoiseClip,
  type SavePoint,
} from '../../src/denoising/denoise-clip.ts';
import { noiseForFrames } from '../../src/denoising/noise.ts';
import { NumericalError } from '../../src/errors.ts';
import { createScheduler, type Sampler } from '../../src/schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../../src/schedulers/noise-schedule.ts';
import { RandomStream } from '../../src/tensor/random.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { assertAllClose } from '../helpers/assert-close.ts';

const FLOAT32 = { rtol: 1e-5, atol: 1e-5 }; // sums over windows are rounded in another order
const FRAME_SHAPE = [2, 3, 4] as const;
const SIZE = { contextFrames: 6, contextOverlap: 2 };
const SEED = 7;
const SHARED = 0.5;

function schedulerOf(sampler: Sampler, steps: number) {
  const noiseSchedule = createNoiseSchedule({ betaSchedule: 'linear', zeroTerminalSnr: true });
  return createScheduler({
    sampler,
    numInferenceSteps: steps,
    noiseSchedule,
    predictionType: 'v_prediction',
    timestepSpacing: 'trailing',
  });
}

/** A denoiser that acts on each value alone, so that windows cannot matter. */
const pointwise =
  (shift: number) =>
  async ({ data, dims }: Tensor, timestep: number): Promise<Tensor> => ({
    data: data.map((x) => (0.8 * x) / (1 + 0.1 * x * x) + shift * Math.sin(0.01 * timestep)),
    dims,
  });

async function* none(): AsyncGenerator<never> {}

async function collect(
  frames: number,
  sampler: Sampler,
  steps: number,
  denoiser: Denoiser,
  guidanceScale: number,
  windows: WindowPlan = atEveryStep(planContextWindows(frames, SIZE), steps),
) {
  const result: Float32Array[] = [];
  for await (const { frame, latents } of denoiseClip({
    denoiser,
    scheduler: schedulerOf(sampler, steps),
    guidanceScale,
    windows,
    frameShape: FRAME_SHAPE,
    seed: SEED,
    sharedFraction: SHARED,
  })) {
    assert.equal(frame, result.length, 'frames come in order');
    result.push(latents.data);
  }
  return result;
}

for (const [sampler, steps, guidanceScale, layout] of [
  ['lcm', 4, 1, 'overlapping'],
  ['ddim', 5, 3.5, 'overlapping'],
  ['dpmsolver', 6, 2, 'overlapping'],
  ['lcm', 4, 1, 'moving'],
  ['ddim', 9, 3.5, 'moving'],
  ['dpmsolver', 6, 2, 'moving'],
] as const) {
  test(`${sampler} over ${layout} windows equals a plain loop over the whole clip`, async () => {
    const denoiser = { conditional: pointwise(0.3), unconditional: pointwise(-0.2) };
    const frames = 15;
    const windows = layout === 'moving' ? planMovingWindows(frames, { contextFrames: 6, steps }) : undefined;
    const actual = await collect(frames, sampler, steps, denoiser, guidanceScale, windows);
    assert.equal(actual.length, frames);

    const scheduler = schedulerOf(sampler, steps);
    const draw = (purpose: 'initial-latents' | 'sampler-step', step: number) =>
      noiseForFrames({
        seed: SEED,
        purpose,
        step,
        start: 0,
        count: frames,
        frameShape: FRAME_SHAPE,
        sharedFraction: SHARED,
      });
    let latents = draw('initial-latents', 0);
    let history: readonly Tensor[] = [];
    for (const [stepIndex, timestep] of scheduler.timesteps.entries()) {
      const c = await denoiser.conditional(latents, timestep);
      const u = await denoiser.unconditional(latents, timestep);
      const modelOutput = {
        data: c.data.map((v, i) => u.data[i]! + guidanceScale * (v - u.data[i]!)),
        dims: c.dims,
      };
      const noise = draw('sampler-step', stepIndex);
      const output = scheduler.step({ stepIndex, latents, modelOutput, noise, history });
      latents = output.prevLatents;
      history = output.history;
    }
    const plane = 12;
    actual.forEach((frame, f) => {
      const expected = [0, 1].flatMap((c) => [
        ...latents.data.subarray((c * frames + f) * plane, (c * frames + f + 1) * plane),
      ]);
      assertAllClose(frame, expected, FLOAT32, `frame ${f}`);
    });
  });
}

test('the unconditional branch is not evaluated without guidance', async () => {
  let calls = 0;
  const unconditional = async (latents: Tensor) => {
    calls += 1;
    return latents;
  };
  await collect(8, 'lcm', 2, { conditional: pointwise(0), unconditional }, 1);
  assert.equal(calls, 0);
});

test('a prediction that is not finite is an error that names frames and timestep', async () => {
  const conditional = async (
    { data, dims }: Tensor,
    timestep: number,
    { frames }: ContextWindow,
  ): Promise<Tensor> => ({
    data: data.map((x, i) => (frames[0] === 4 && timestep < 999 && i === 5 ? Number.NaN : x)),
    dims,
  });
  await assert.rejects(collect(10, 'lcm', 4, { conditional }, 1), (error) => {
    assert(error instanceof NumericalError);
    assert.match(error.message, /frames 4 to 9.*timestep 759/);
    return true;
  });
});

test('an abort stops between steps with the reason of the signal', async () => {
  const controller = new AbortController();
  const reason = new Error('stop');
  const run = async () => {
    for await (const _ of denoiseClip({
      denoiser: { conditional: pointwise(0) },
      scheduler: schedulerOf('lcm', 4),
      guidanceScale: 1,
      windows: atEveryStep(planContextWindows(40, SIZE), 4),
      frameShape: FRAME_SHAPE,
      seed: SEED,
      sharedFraction: 0,
      signal: controller.signal,
      onStep: () => controller.abort(reason),
    })) {
      assert.fail('no frame can be ready after one step');
    }
  };
  await assert.rejects(run(), reason);
});

for (const [layout, plan] of [
  ['moving', planMovingWindows(40, { contextFrames: 6, steps: 4 })],
  ['overlapping', atEveryStep(planContextWindows(40, SIZE), 4)],
] as const) {
  test(`${layout} windows at the same time give the same latents, whichever ends first, and from every save point`, async () => {
    // Bits of a sum depend on its order, which a denoiser that sees neighbours shows.
    const mixing = async ({ data, dims }: Tensor, timestep: number): Promise<Tensor> => ({
      data: data.map((x, i) => Math.sin(x + 0.3 * data[(i + 7) % data.length]!) / (1 + timestep / 300)),
      dims,
    });
    const render = async (windowsAtOnce: number, seed: number, resume?: SavePoint) => {
      const random = new RandomStream([seed]);
      let running = 0;
      let most = 0;
      let evaluations = 0;
      const points: SavePoint[] = [];
      const frames: Float32Array[] = [];
      const denoised = denoiseClip({
        denoiser: {
          conditional: async (latents, timestep) => {
            most = Math.max(most, ++running);
            evaluations += 1;
            const turns = Math.floor(12 * random.uniform());
            for (let i = 0; i < turns; i++) await nextTurn();
            running -= 1;
            return mixing(latents, timestep);
          },
        },
        ...{ scheduler: schedulerOf('lcm', 4), guidanceScale: 1, windows: plan, windowsAtOnce },
        ...{ frameShape: FRAME_SHAPE, seed: SEED, sharedFraction: SHARED },
        onSavePoint: async (point) => void points.push(point),
        resume: resume && { index: resume.index, state: resume.state, frames: none() },
      });
      for await (const { latents } of denoised) frames.push(latents.data);
      return { frames, points, most, evaluations };
    };
    const single = await render(1, 0);
    assert.equal(single.most, 1);
    for (const windowsAtOnce of [2, 3]) {
      const several = await render(windowsAtOnce, windowsAtOnce);
      assert.equal(several.most, windowsAtOnce);
      assert.equal(several.evaluations, countWindowSteps(plan));
      assert.deepEqual(several.frames, single.frames);
      assert.deepEqual(
        several.points.map(({ index }) => index),
        several.points.map((_, i) => i),
      );
      for (const point of several.points) {
        const done = several.points.slice(0, point.index + 1).flatMap(({ frames }) => frames);
        const state = structuredClone(point.state);
        // The machine that goes on may have another number of cores.
        const rest = await render(4 - windowsAtOnce, 9, { ...point, state });
        assert.deepEqual([...done.map(({ latents }) => latents.data), ...rest.frames], single.frames);
        assert.equal(rest.evaluations, countWindowSteps(plan) - countStepsTaken(point.state));
      }
    }
  });
}

for (const windowsAtOnce of [1, 2]) {
  test(`what the first frames do not wait for begins when they are handed over, ${windowsAtOnce} at a time`, async () => {
    const plan = planMovingWindows(40, { contextFrames: 6, steps: 4 });
    const render = async (firstFrames: number) => {
      const calls: string[] = [];
      const frames: Float32Array[] = [];
      const nameOf = (window: ContextWindow): string => {
        const stepIndex = plan.findIndex((windows) => windows.includes(window));
        return `${stepIndex}/${plan[stepIndex]!.indexOf(window)}`;
      };
      let announced: readonly ContextWindow[] = [];
      let ahead: string[] = [];
      const denoised = denoiseClip({
        denoiser: {
          conditional: async (latents, timestep, window) => {
            calls.push(nameOf(window));
            for (let i = 0; i < 3; i++) await nextTurn();
            return pointwise(0.3)(latents, timestep);
          },
        },
        ...{ scheduler: schedulerOf('lcm', 4), guidanceScale: 1, windows: plan, windowsAtOnce, firstFrames },
        ...{ frameShape: FRAME_SHAPE, seed: SEED, sharedFraction: SHARED },
        onUpcoming: (windows) => {
          announced = windows;
        },
        onFirst: async (yielded) => {
          calls.push(`first ${yielded}`);
          ahead = announced.map(nameOf);
          for (let i = 0; i < 20; i++) await nextTurn(); // what is done with them
          calls.push('shown');
        },
      });
      for await (const { frame, latents } of denoised) {
        frames.push(latents.data);
        calls.push(`frame ${frame}`);
      }
      return { calls, frames, ahead };
    };
    const { calls, frames, ahead } = await render(10);
    assert.deepEqual(frames, (await render(0)).frames);
    const needed = countWindowsOfFirst(plan, 10);
    const urgent = needed.flatMap((count, step) => Array.from({ length: count }, (_, i) => `${step}/${i}`));
    const before = calls.slice(0, calls.indexOf('frame 9'));
    assert.deepEqual(before.filter((one) => one.includes('/')).sort(), urgent.sort());
    // Whoever uses them has the cores for it: nothing begins meanwhile.
    const shown = calls.indexOf('shown');
    assert.match(calls[shown - 1]!, /^first 1\d$/);
    assert.equal(calls[shown - 2], `frame ${Number(calls[shown - 1]!.slice(6)) - 1}`);
    assert.deepEqual(calls.filter((one) => /^first/.test(one)).length, 1);
    // What the next ones need can be made meanwhile.
    const next = calls.slice(shown).filter((one) => one.includes('/'));
    assert.equal(ahead[0], next[0]);
    for (const window of next.slice(0, windowsAtOnce)) assert.ok(ahead.includes(window));
  });
}

test('an error of one window ends the clip when those at the same time have ended', async () => {
  let running = 0;
  const failure = new Error('out of memory');
  const conditional = async (latents: Tensor, _: number, { frames }: ContextWindow): Promise<Tensor> => {
    running += 1;
    for (let i = 0; i < 10 && frames[0] !== 4; i++) await nextTurn();
    running -= 1;
    if (frames[0] === 4) throw failure;
    return latents;
  };
  const denoised = denoiseClip({
    denoiser: { conditional },
    ...{ scheduler: schedulerOf('lcm', 2), guidanceScale: 1, windowsAtOnce: 2 },
    windows: atEveryStep(planContextWindows(20, SIZE), 2),
    ...{ frameShape: FRAME_SHAPE, seed: SEED, sharedFraction: 0 },
  });
  await assert.rejects(denoised.next(), failure);
  assert.equal(running, 0);
});

test('the windows that come next are announced before the first step and while the denoiser runs', async () => {
  for (const plan of [
    planMovingWindows(20, { contextFrames: 6, steps: 3 }),
    atEveryStep(planContextWindows(20, SIZE), 3),
  ]) {
    const order = [...orderWindowSteps(plan)];
    const calls: (ContextWindow | 'ready' | 'denoised')[] = [];
    const upcoming: (readonly ContextWindow[])[] = [];
    const frames = denoiseClip({
      denoiser: {
        conditional: (latents, timestep, window) => {
          calls.push(window);
          return pointwise(0.3)(latents, timestep);
        },
      },
      ...{ scheduler: schedulerOf('lcm', 3), guidanceScale: 1, windows: plan },
      ...{ frameShape: FRAME_SHAPE, seed: SEED, sharedFraction: SHARED },
      onUpcoming: (windows) => upcoming.push(windows),
      untilReady: async () => {
        assert.deepEqual(upcoming, [[order[0]!.window]], 'announced before the denoiser is awaited');
        calls.push('ready');
      },
      onDenoised: () => calls.push('denoised'),
    });
    let count = 0;
    for await (const _ of frames) count += 1;
    assert.equal(count, 20);
    assert.deepEqual(calls, ['ready', ...order.map(({ window }) => window), 'denoised']);
    // After the call for step i comes what is asked for in step i + 1, and the next window that takes its first step.
    assert.equal(upcoming.length, order.length + 1);
    for (const [i, windows] of upcoming.entries()) {
      const beginning = order.slice(i).find(({ stepIndex }) => stepIndex === 0)?.window;
      assert.equal(windows[0], order[i]?.window);
      assert.ok(windows.length === 1 || windows[1] === beginning);
      if (beginning !== undefined) assert.ok(windows.includes(beginning));
    }
  }
});
