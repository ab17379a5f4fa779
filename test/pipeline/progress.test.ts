import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgressEvent } from '../../src/pipeline/animate-options.ts';
import {
  ClipProgress,
  combineProgress,
  describeTracking,
  remainingSeconds,
} from '../../src/pipeline/progress.ts';

type FramesEvent = Extract<ProgressEvent, { type: 'frames' }>;

/** The events of a clip of 10 frames and 4 steps. */
function clip() {
  const events: FramesEvent[] = [];
  const progress = new ClipProgress({ frames: 10, steps: 4 }, (event) => {
    if (event.type === 'frames') events.push(event);
  });
  return { progress, last: () => events.at(-1)!, events };
}

test('the fraction rises with every step and frame, and is 1 only when the last frame is out', () => {
  const { progress, events, last } = clip();
  progress.begin();
  assert.equal(last().fraction, 0);
  for (let step = 0; step < 4; step++) progress.stepDone();
  for (let frame = 0; frame < 10; frame++) {
    assert.ok(last().fraction < 1);
    progress.frameDone();
  }
  assert.equal(last().fraction, 1);
  assert.equal(last().remaining, 0);
  assert.equal(events.length, 15);
  for (const [i, { fraction }] of events.entries()) assert.ok(i === 0 || fraction > events[i - 1]!.fraction);
});

test('no remaining time is given before there is a pace', () => {
  const { progress, events } = clip();
  progress.begin();
  progress.stepDone();
  progress.stepDone();
  assert.ok(events.every(({ remaining }) => remaining === undefined));
  progress.stepDone();
  assert.ok(events.at(-1)!.remaining! >= 0);
});

test("an earlier run's steps count as done, and say nothing of the pace", () => {
  const { progress, last } = clip();
  progress.begin(4);
  assert.ok(last().fraction > 0.5 && last().fraction < 1);
  assert.equal(last().stepsDone, 4);
  assert.equal(last().remaining, undefined);
  assert.equal(remainingSeconds({ elapsed: 10, before: 0.5, done: 0.75, total: 1 }), 10);
  assert.equal(remainingSeconds({ elapsed: 10, before: 0.5, done: 0.5, total: 1 }), undefined);
});

test('several clips: by their frames, those that are not counted yet taken for average', () => {
  const clips = [
    { frames: 100, fraction: 1, before: 1 }, // was there already
    { frames: 300, fraction: 0.5, before: 0.25 },
    { frames: undefined, fraction: 0, before: 0 },
  ];
  // 600 frames in all, 250 of them done, 75 in these 30 seconds.
  const { fraction, remaining } = combineProgress(clips, 30);
  assert.equal(fraction, 250 / 600);
  assert.equal(remaining, (30 * 350) / 75);
  assert.deepEqual(combineProgress([{ frames: undefined, fraction: 0, before: 0 }], 30), {
    fraction: 0,
    remaining: undefined,
  });
});

test('a film is done by the seconds that were looked at, and never more than wholly', () => {
  assert.deepEqual(describeTracking('talk.mp4', { done: 6, total: 24 }), {
    type: 'tracking',
    film: 'talk.mp4',
    secondsDone: 6,
    secondsTotal: 24,
    fraction: 0.25,
  });
  const longer = describeTracking('talk.mp4', { done: 25, total: 24 });
  assert.equal(longer.type === 'tracking' && longer.fraction, 1);
  const unknown = describeTracking('talk.mp4', { done: 6, total: undefined });
  assert.deepEqual(unknown, { type: 'tracking', film: 'talk.mp4', secondsDone: 6 });
});
