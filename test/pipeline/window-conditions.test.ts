import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  atEveryStep,
  orderWindowSteps,
  planContextWindows,
  planLoopedWindows,
  planMovingWindows,
  type WindowPlan,
} from '../../src/denoising/context-windows.ts';
import type { FrameConditions, PixelBox } from '../../src/models/frame-conditions.ts';
import {
  type ClipNetworks,
  GatheredPose,
  type NamedInputs,
  type PoseFeatures,
} from '../../src/networks/clip-networks.ts';
import { Stopwatch } from '../../src/pipeline/stopwatch.ts';
import { WindowConditions } from '../../src/pipeline/window-conditions.ts';
import type { Scene } from '../../src/scene/scene.ts';

const COUNT = 20;
const STEPS = 3;
const windows = planContextWindows(COUNT, { contextFrames: 12, contextOverlap: 4 });
const CHANNELS = 2;

interface Counted {
  readonly plan?: WindowPlan;
  readonly frames?: number;
  /** Frame numbers of the clip lie this far apart. */
  readonly every?: number;
  readonly posesByFrame?: boolean;
  readonly poseFrames?: number;
  readonly signal?: AbortSignal;
  /** Instead of those in memory. */
  readonly features?: () => PoseFeatures;
  /** Frame of which all is looked at. */
  readonly everywhere?: number;
}

/** Where frames of these numbers and those between are looked at. */
function boxOf(first: number, last: number): PixelBox {
  return { left: first, top: 2 * first, right: last + 10, bottom: last + 20 };
}

/** Conditions of a clip whose scene and networks count, and whose features name the frames that they are of. */
function counted({
  frames = COUNT,
  every = 1,
  posesByFrame = false,
  poseFrames = 12,
  signal,
  features,
  everywhere,
  ...rest
}: Counted = {}) {
  const { plan = atEveryStep(windows, STEPS) } = rest;
  const drawn: number[] = [];
  const bases: number[] = [];
  const looked: number[] = [];
  let posed = 0;
  const baseOf = (frame: number) => ({ base: Uint8Array.of(frame + 100), shown: boxOf(frame, frame) });
  const scene: Pick<Scene, 'conditions' | 'base' | 'shown'> = {
    conditions: async (frame) => {
      drawn.push(frame);
      return { conditions: Float32Array.of(frame), ...baseOf(frame) };
    },
    base: async (frame) => {
      bases.push(frame);
      return baseOf(frame);
    },
    shown: async (frame) => {
      looked.push(frame);
      return frame === everywhere ? undefined : boxOf(frame, frame);
    },
  };
  const networks: Pick<ClipNetworks, 'poseFeatures' | 'decodesOverBase' | 'posesByFrame' | 'poseFrames'> = {
    decodesOverBase: true,
    posesByFrame,
    poseFrames,
    poseFeatures: async (of: readonly FrameConditions[]) => {
      posed += 1;
      if (features !== undefined) return features();
      const data = Array.from({ length: CHANNELS }, (_, c) =>
        of.flatMap(({ conditions: [value] }) => [(value as number) + 1000 * c, -(value as number)]),
      ).flat();
      return { pose: { data: Float32Array.from(data), dims: [1, CHANNELS, of.length, 1, 2] } };
    },
  };
  const conditions = new WindowConditions({
    scene: scene as Scene,
    networks: networks as ClipNetworks,
    denoisedFrames: Array.from({ length: frames }, (_, frame) => frame * every),
    windows: plan,
    watch: new Stopwatch(),
    signal,
  });
  return { conditions, drawn, bases, looked, posed: () => posed };
}

function tensorsOf(pose: PoseFeatures): NamedInputs {
  return pose instanceof GatheredPose ? pose.features : (pose as NamedInputs);
}

test('what was made ahead is what a window gets, and is made once', async () => {
  const { conditions, drawn, posed } = counted();
  conditions.prefetch(windows.slice(0, 1));
  conditions.prefetch(windows.slice(0, 1));
  const { pose } = tensorsOf(await conditions.pose(windows[0]!));
  assert.equal(pose!.dims[2], windows[0]!.frames.length);
  assert.equal(posed(), 1);
  conditions.prefetch(windows.slice(1));
  conditions.prefetch([]);
  await conditions.settle();
  assert.equal(posed(), 2);
  assert.deepEqual(
    drawn.sort((a, b) => a - b),
    Array.from({ length: COUNT }, (_, frame) => frame),
  );
  await conditions.pose(windows[1]!);
  assert.equal(posed(), 2);
});

test('nothing is made ahead after an abort', async () => {
  const { conditions, drawn } = counted({ signal: AbortSignal.abort() });
  conditions.prefetch(windows);
  await conditions.settle();
  assert.deepEqual(drawn, []);
});

test('a window that was made ahead and cannot be rejects for the caller, and settles', async () => {
  const { conditions } = counted();
  const broken = { ...windows[0]!, frames: undefined as never };
  conditions.prefetch([broken]);
  await conditions.settle();
  await assert.rejects(conditions.pose(broken), TypeError);
});

const plans: Readonly<Record<string, (frames: number) => WindowPlan>> = {
  overlapping: (frames) =>
    atEveryStep(planContextWindows(frames, { contextFrames: 12, contextOverlap: 2 }), STEPS),
  moving: (frames) => planMovingWindows(frames, { contextFrames: 12, steps: STEPS }),
  looped: (frames) => atEveryStep(planLoopedWindows(frames, { contextFrames: 12, contextOverlap: 4 }), STEPS),
};

for (const [kind, planOf] of Object.entries(plans)) {
  test(`${kind} windows: features of single frames are made once, and each window gets its own frames'`, async () => {
    for (const [frames, most] of [1, 7, 12, 13, 24, 31, 50].flatMap((count) => [
      [count, 4] as const,
      [count, 12] as const,
    ])) {
      const plan = planOf(frames);
      const poseFrames = Math.min(most, frames);
      const { conditions, drawn, posed } = counted({
        plan,
        frames,
        every: 2,
        posesByFrame: true,
        poseFrames,
      });
      for (const step of orderWindowSteps(plan)) {
        const { pose } = tensorsOf(await conditions.pose(step.window));
        const expected = [0, 1].flatMap((c) =>
          step.window.frames.flatMap((frame) => [2 * frame + 1000 * c, -2 * frame]),
        );
        assert.deepEqual(
          [...pose!.data],
          expected,
          `${frames} frames, ${poseFrames} at once, from ${step.window.frames[0]}`,
        );
        assert.deepEqual(pose!.dims, [1, CHANNELS, step.window.frames.length, 1, 2]);
        conditions.stepDone(step);
      }
      assert.equal(posed(), Math.ceil(frames / poseFrames));
      assert.equal(drawn.length, frames, 'each frame is drawn once');
      // All was forgotten: asked again, it is made again.
      await conditions.pose(plan[0]![0]!);
      assert.ok(posed() > Math.ceil(frames / poseFrames));
    }
  });
}

for (const posesByFrame of [true, false]) {
  const kind = posesByFrame ? 'single frames' : 'whole windows';
  test(`with features of ${kind}, frames are decoded over what the denoiser saw, where they and those between are looked at`, async () => {
    const { conditions, drawn, bases, looked } = counted({ every: 3, posesByFrame });
    for (const step of orderWindowSteps(atEveryStep(windows, STEPS))) {
      await conditions.pose(step.window);
      conditions.stepDone(step);
    }
    const last = 3 * (COUNT - 1);
    for (let frame = 0; frame <= last; frame += 3) {
      const { base, shown } = await conditions.takeBase(frame);
      assert.deepEqual(base, Uint8Array.of(frame + 100));
      const [first, end] = [Math.max(0, frame - 2), Math.min(last, frame + 2)];
      assert.deepEqual(shown, boxOf(first, end), `frame ${frame}`);
    }
    assert.equal(drawn.length, COUNT);
    assert.deepEqual(bases, []);
    assert.deepEqual(looked.length, 2 * (COUNT - 1), 'each frame between others once');
    // It was forgotten.
    await conditions.takeBase(0);
    assert.deepEqual(bases, [0]);
  });
}

test('where one of the frames that are blended is looked at everywhere, so are those that it is blended of', async () => {
  const { conditions } = counted({ every: 2, everywhere: 3 });
  assert.deepEqual((await conditions.takeBase(0)).shown, boxOf(0, 1));
  assert.equal((await conditions.takeBase(2)).shown, undefined);
  assert.equal((await conditions.takeBase(4)).shown, undefined);
  assert.deepEqual((await conditions.takeBase(6)).shown, boxOf(5, 7));
});

test('features that depend on the whole window are made once for each window of each place', async () => {
  const plan = planMovingWindows(50, { contextFrames: 12, steps: STEPS });
  const { conditions, posed } = counted({ plan, frames: 50 });
  let taken = 0;
  for (const step of orderWindowSteps(plan)) {
    const { pose } = tensorsOf(await conditions.pose(step.window));
    assert.deepEqual(
      [...pose!.data].filter((_, i) => i % 2 === 0).slice(0, step.window.frames.length),
      step.window.frames,
    );
    await conditions.pose(step.window); // the other half of guidance
    taken += 1;
    assert.equal(posed(), taken);
    conditions.stepDone(step);
  }
});

test('features on a device are released when no step asks for them any more, and all of them at the end', async () => {
  const plan = plans.looped!(50);
  const alive = new Set<number>();
  let made = 0;
  const onDevice = (): PoseFeatures => {
    const id = made++;
    alive.add(id);
    return {
      ...{ outputs: {}, bytes: 4e8, findNonFinite: async () => undefined },
      release: () => void alive.delete(id),
    };
  };
  const { conditions } = counted({ plan, frames: 50, features: onDevice });
  const steps = orderWindowSteps(plan);
  let most = 0;
  for (const step of [...steps].slice(0, -2)) {
    await conditions.pose(step.window);
    await conditions.pose(step.window); // the other half of guidance
    most = Math.max(most, alive.size);
    conditions.stepDone(step);
    await nextTurn();
  }
  assert.ok(made > plan[0]!.length, 'beyond what is kept, they are made again');
  // Three are kept below 1 GB and one above; two are those of the step.
  assert.ok(most <= 5, `${most} at once`);
  await conditions.dispose();
  await nextTurn();
  assert.deepEqual([...alive], []);
});
