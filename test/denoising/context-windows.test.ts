import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  atEveryStep,
  type ContextWindow,
  countWindowSteps,
  countWindowsOfFirst,
  orderWindowSteps,
  planContextWindows,
  planLoopedWindows,
  planMovingWindows,
  type WindowPlan,
} from '../../src/denoising/context-windows.ts';
import { assertAllClose } from '../helpers/assert-close.ts';
import { fc } from '../helpers/fast-check.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/context-windows/context_windows.json', import.meta.url), 'utf8'),
);
type Row = [number, number, number, number, number, [start: number, width: number, length: number][]];

const framesOf = (windows: readonly ContextWindow[]): (readonly number[])[] =>
  windows.map(({ frames }) => frames);

for (const [name, closedLoop] of [
  ['closed_loop', true],
  ['open', false],
] as const) {
  test(`${name} windows are AniPortrait's`, () => {
    for (const row of golden[name] as Row[]) {
      const [frames, contextFrames, contextStride, contextOverlap, step, expected] = row;
      const options = { contextFrames, contextStride, contextOverlap, step, closedLoop };
      assert.deepEqual(
        framesOf(planLoopedWindows(frames, options)),
        expected.map(([start, width, length]) =>
          Array.from({ length }, (_, i) => (start + i * width) % frames),
        ),
        JSON.stringify(row.slice(0, 5)),
      );
    }
  });
}

test('spelled out windows agree too', () => {
  for (const {
    num_frames,
    context_size,
    context_stride,
    context_overlap,
    step,
    windows,
  } of golden.spelled_out) {
    const options = {
      contextFrames: context_size,
      contextStride: context_stride,
      contextOverlap: context_overlap,
      step,
    };
    assert.deepEqual(framesOf(planLoopedWindows(num_frames, options)), windows);
  }
});

test('the last window is moved back to end with the clip', () => {
  const windows = planContextWindows(33, { contextFrames: 16, contextOverlap: 4 });
  assert.deepEqual(
    windows.map(({ frames }) => [frames[0], frames.at(-1)]),
    [
      [0, 15],
      [12, 27],
      [17, 32],
    ],
  );
  assert.deepEqual(
    windows.map(({ finalUntil }) => finalUntil),
    [12, 17, 33],
  );
});

test('a clip that is not longer than a window is one window', () => {
  for (const frames of [1, 7, 16]) {
    const windows = planContextWindows(frames, { contextFrames: 16, contextOverlap: 4 });
    assert.deepEqual(framesOf(windows), [Array.from({ length: frames }, (_, i) => i)]);
    assertAllClose(windows[0]!.weights, new Array(frames).fill(1), { rtol: 1e-12, atol: 0 });
    assert.equal(windows[0]!.finalUntil, frames);
  }
});

test('weights fade linearly from window to window', () => {
  const [first, second] = planContextWindows(28, { contextFrames: 16, contextOverlap: 4 });
  const tolerance = { rtol: 1e-12, atol: 0 };
  assertAllClose(first!.weights.subarray(11), [1, 0.8, 0.6, 0.4, 0.2], tolerance);
  assertAllClose(second!.weights.subarray(0, 5), [0.2, 0.4, 0.6, 0.8, 1], tolerance);
});

const clips = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 32 }), fc.nat(31), fc.boolean())
  .map(([frames, contextFrames, overlap, looped]) => {
    const options = { contextFrames, contextOverlap: overlap % contextFrames };
    return { frames, options, windows: (looped ? planLoopedWindows : planContextWindows)(frames, options) };
  });

test('blended windows weigh 1 at every frame, and no weight is negative', () => {
  fc.assert(
    fc.property(clips, ({ frames, windows }) => {
      const total = new Float64Array(frames);
      for (const window of windows) {
        assert.ok(window.weights.every((weight) => weight > 0));
        window.frames.forEach((frame, i) => {
          total[frame]! += window.weights[i]!;
        });
      }
      assertAllClose(total, new Array(frames).fill(1), { rtol: 0, atol: 1e-12 });
    }),
  );
});

test('final frames are in no later window, and all are final after the last', () => {
  fc.assert(
    fc.property(clips, ({ frames, windows }) => {
      windows.forEach(({ finalUntil }, index) => {
        for (const later of windows.slice(index + 1)) assert.ok(Math.min(...later.frames) >= finalUntil);
      });
      assert.equal(windows.at(-1)!.finalUntil, frames);
    }),
  );
});

test('our windows have one length, do not wrap, and overlap by as much as was asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 32 }),
      fc.nat(31),
      (frames, size, n) => {
        const contextOverlap = n % size;
        const windows = planContextWindows(frames, { contextFrames: size, contextOverlap });
        let end = 0;
        for (const window of windows) {
          assert.equal(window.frames.length, Math.min(size, frames));
          assert.ok(window.frames.every((frame, i) => frame === window.frames[0]! + i));
          assert.ok(end === 0 ? window.frames[0] === 0 : end - window.frames[0]! >= contextOverlap);
          end = window.frames.at(-1)! + 1;
        }
        assert.equal(end, frames);
      },
    ),
  );
});

test('a window takes a step once its frames are complete after the step before', () => {
  fc.assert(
    fc.property(
      clips,
      fc.integer({ min: 1, max: 30 }),
      fc.boolean(),
      ({ frames, options, windows }, steps, moving) => {
        const plan = moving
          ? planMovingWindows(frames, { contextFrames: options.contextFrames, steps })
          : atEveryStep(windows, steps);
        // How many windows have still to take each step at each frame.
        const open = plan.map((ofStep) => {
          const counts = new Uint16Array(frames);
          for (const window of ofStep) for (const frame of window.frames) counts[frame]!++;
          return counts;
        });
        let taken = 0;
        let inOrder = true;
        for (const { stepIndex, window } of orderWindowSteps(plan)) {
          for (const frame of window.frames) {
            inOrder &&= stepIndex === 0 || open[stepIndex - 1]![frame] === 0;
            open[stepIndex]![frame]!--;
          }
          taken++;
        }
        return inOrder && taken === countWindowSteps(plan);
      },
    ),
  );
});

test('frames of a long clip are finished while its end has not been begun', () => {
  const windows = planContextWindows(600, { contextFrames: 16, contextOverlap: 4 });
  let ahead = 0;
  let begun = 0;
  for (const { stepIndex, window } of orderWindowSteps(atEveryStep(windows, 4))) {
    if (stepIndex === 0) begun = windows.indexOf(window);
    if (stepIndex === 3) ahead = Math.max(ahead, begun - windows.indexOf(window));
  }
  assert.equal(ahead, 3);
  const [a, b, c] = planContextWindows(40, { contextFrames: 16, contextOverlap: 4 });
  const order = [...orderWindowSteps(atEveryStep([a!, b!, c!], 2))].map(
    ({ stepIndex, window }) => `${stepIndex}/${window.frames[0]}`,
  );
  assert.deepEqual(order, ['0/0', '0/12', '1/0', '0/24', '1/12', '1/24']);
});

test('moving windows lie side by side, and begin elsewhere at each step', () => {
  const plan = planMovingWindows(60, { contextFrames: 12, steps: 4 });
  assert.deepEqual(
    plan.map((windows) => windows.map(({ frames }) => frames[0])),
    [
      [0, 12, 24, 36, 48],
      [0, 9, 21, 33, 45, 48],
      [0, 5, 17, 29, 41, 48],
      [0, 2, 14, 26, 38, 48],
    ],
  );
  // Five frames to spare are six places, and no window more.
  const spared = planMovingWindows(43, { contextFrames: 12, steps: 7 });
  assert.deepEqual(
    spared.map((windows) => windows.map(({ frames }) => frames[0])),
    [0, 0, 1, 2, 3, 4, 5].map((place) => [0, 12 - place, 24 - place, 31]),
  );
  // Where they overlap, the nearer to its middle a frame is, the more counts what a window says of it.
  const weights = plan[1]!.slice(0, 2).map((window) => window.weights);
  const expected = [1, 3 / 4, 2 / 4, 1 / 4];
  assertAllClose(weights[0]!.subarray(8), expected, { rtol: 1e-12, atol: 0 });
});

const movingClips = fc.record({
  frames: fc.integer({ min: 1, max: 300 }),
  contextFrames: fc.integer({ min: 1, max: 32 }),
  steps: fc.integer({ min: 1, max: 40 }),
});

test('moving windows cover every frame once, but for the first and the last window, have one length, and weigh 1', () => {
  fc.assert(
    fc.property(movingClips, ({ frames, contextFrames, steps }) => {
      const plan = planMovingWindows(frames, { contextFrames, steps });
      assert.equal(plan.length, steps);
      const length = Math.min(frames, contextFrames);
      for (const windows of plan) {
        const total = new Float64Array(frames);
        windows.forEach((window, index) => {
          assert.deepEqual(
            window.frames,
            Array.from({ length }, (_, i) => window.frames[0]! + i),
          );
          window.frames.forEach((frame, i) => {
            total[frame]! += window.weights[i]!;
          });
          const before = windows[index - 1];
          if (before === undefined) return;
          const overlap = before.frames.at(-1)! + 1 - window.frames[0]!;
          const atEnd = index === 1 || index === windows.length - 1;
          assert.ok(atEnd ? overlap >= 0 : overlap === 0, `${overlap} frames in common`);
        });
        assertAllClose(total, new Array(frames).fill(1), { rtol: 0, atol: 1e-12 });
        assert.equal(windows.at(-1)!.finalUntil, frames);
        const needed = Math.ceil(frames / contextFrames);
        const spare = needed * contextFrames - frames;
        assert.ok(windows.length <= needed + (spare < 2 && needed > 1 ? 1 : 0));
      }
    }),
  );
});

test('seams of moving windows never fall on one frame twice before all places had their turn', () => {
  const sizes = fc.tuple(fc.integer({ min: 3, max: 32 }), fc.nat(31));
  fc.assert(
    fc.property(sizes, ([contextFrames, n]) => {
      const spare = n % contextFrames;
      const count = spare < 2 ? contextFrames : spare + 1;
      const plan = planMovingWindows(10 * contextFrames - spare, { contextFrames, steps: count });
      const places = plan.map((windows) => windows[4]!.frames[0]! % contextFrames);
      assert.equal(new Set(places).size, count);
      if (count < contextFrames) return;
      // Seams of steps in a row are far from each other.
      if (contextFrames < 12) return;
      places.slice(1).forEach((place, i) => {
        const distance = Math.abs(place - places[i]!);
        assert.ok(Math.min(distance, contextFrames - distance) >= contextFrames / 4, `${places}`);
      });
    }),
  );
});

test('few steps visit their places so that the first frames wait for few windows', () => {
  for (const frames of [60, 75, 139, 250]) {
    const plan = planMovingWindows(frames, { contextFrames: 12, steps: 4 });
    const evaluationsUntil = (count: number): number => {
      const last = plan.length - 1;
      const order = [...orderWindowSteps(plan)];
      return 1 + order.findIndex(({ stepIndex, window }) => stepIndex === last && window.finalUntil >= count);
    };
    assert.equal(evaluationsUntil(1), 7);
    // Three windows a step, however they lie.
    assert.equal(evaluationsUntil(25), 12);
    const needed = countWindowsOfFirst(plan, 25);
    assert.deepEqual(needed, [3, 3, 3, 3]);
  }
});

test('the windows that the first frames wait for are those without which they cannot be made', () => {
  const plans = [
    planMovingWindows(40, { contextFrames: 6, steps: 4 }),
    planMovingWindows(40, { contextFrames: 6, steps: 12 }),
    atEveryStep(planContextWindows(40, { contextFrames: 6, contextOverlap: 2 }), 4),
    atEveryStep(planLoopedWindows(40, { contextFrames: 6, contextOverlap: 2 }), 3),
  ];
  for (const plan of plans) {
    for (const frames of [1, 5, 17, 40, 99]) {
      const needed = countWindowsOfFirst(plan, frames);
      const part = plan.map((windows, step) => windows.slice(0, needed[step]!));
      const finalOf = (some: WindowPlan): number =>
        Math.max(
          0,
          ...[...orderWindowSteps(some)].map(({ stepIndex, window }) =>
            stepIndex === plan.length - 1 ? window.finalUntil : 0,
          ),
        );
      assert.ok(finalOf(part) >= Math.min(frames, 40), 'they are enough');
      for (const step of plan.keys()) {
        const fewer = part.map((windows, i) => (i === step ? windows.slice(0, -1) : windows));
        assert.ok(finalOf(fewer) < Math.min(frames, 40), 'none of them is too many');
      }
    }
  }
});

test('moving windows need no more frames at once than overlapping ones', () => {
  for (const steps of [4, 8, 25]) {
    const waitingOf = (plan: WindowPlan): number => {
      const done = plan.map(() => 0);
      let most = 0;
      for (const { stepIndex, window } of orderWindowSteps(plan)) {
        done[stepIndex] = window.finalUntil;
        most = Math.max(most, done[0]! - done.at(-1)!);
      }
      return most;
    };
    const moving = planMovingWindows(2000, { contextFrames: 12, steps });
    const overlapping = atEveryStep(
      planContextWindows(2000, { contextFrames: 12, contextOverlap: 2 }),
      steps,
    );
    assert.ok(waitingOf(moving) <= waitingOf(overlapping), `${waitingOf(moving)}`);
  }
});

test('options out of range are refused', () => {
  const options = { contextFrames: 16, contextOverlap: 4 };
  assert.throws(() => planContextWindows(0, options), RangeError);
  assert.throws(() => planContextWindows(10, { contextFrames: 0, contextOverlap: 0 }), RangeError);
  assert.throws(() => planContextWindows(10, { contextFrames: 4, contextOverlap: 4 }), RangeError);
  assert.throws(() => planLoopedWindows(10, { ...options, contextStride: 0 }), RangeError);
  assert.throws(() => planMovingWindows(0, { contextFrames: 4, steps: 4 }), RangeError);
  assert.throws(() => planMovingWindows(10, { contextFrames: 0, steps: 4 }), RangeError);
  assert.throws(() => planMovingWindows(10, { contextFrames: 4, steps: 0 }), RangeError);
});
