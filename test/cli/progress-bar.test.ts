import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgressDisplay, renderProgress } from '../../src/cli/progress-bar.ts';

/** A report of a job of 80 frames and 40 steps. */
function frames(
  framesDone: number,
  stepsDone: number,
  pace: { framesPerSecond: number; remaining?: number },
) {
  const fraction = (0.9 * stepsDone) / 40 + (0.1 * framesDone) / 80;
  return {
    type: 'frames',
    framesDone,
    framesTotal: 80,
    stepsDone,
    stepsTotal: 40,
    fraction,
    ...pace,
  } as const;
}

const HALF_WAY = frames(32, 20, { framesPerSecond: 3.84, remaining: 12.2 });

test('the line has stage, bar, percentage, frames, pace and remaining time', () => {
  const line = renderProgress({ stage: 'render', stageElapsed: 9, frames: HALF_WAY }, 100);
  assert.equal(
    line,
    `Rendering  ${'█'.repeat(14)}${'░'.repeat(16)}  49 %  32/80 frames  3.8 frames/s  13 s left`,
  );
});

test('a stage without frames has its name and, after a second, its time', () => {
  assert.equal(renderProgress({ stage: 'load', stageElapsed: 0.4 }, 80), 'Loading networks…');
  assert.equal(renderProgress({ stage: 'load', stageElapsed: 3.9 }, 80), 'Loading networks…  3 s');
  assert.equal(
    renderProgress({ stage: 'finish', stageElapsed: 0, frames: HALF_WAY }, 80),
    'Finishing the video…',
  );
});

test('while a film is looked at the line has its seconds and a bar', () => {
  const tracking = { film: 'talk.mp4', secondsDone: 6, secondsTotal: 24, fraction: 0.25 };
  const line = renderProgress({ stage: 'prepare', stageElapsed: 3, tracking }, 80);
  assert.match(line, /^Tracking the face {2}█+░+ {2}25 % {2}6\/24 s$/);
});

test('pace and remaining time are shown once they are known', () => {
  const unknown = frames(0, 1, { framesPerSecond: 0 });
  const line = renderProgress({ stage: 'render', stageElapsed: 1, frames: unknown }, 80);
  assert.match(line, /2 % {2}0\/80 frames$/);
});

test('remaining time runs on between reports, and goes when it is overdue', () => {
  const at = (framesAge: number) =>
    renderProgress({ stage: 'render', stageElapsed: 9, frames: HALF_WAY, framesAge }, 100);
  assert.match(at(5), /8 s left$/);
  assert.match(at(13), /1 s left$/);
  assert.match(at(20), /frames\/s$/);
});

test('no line is wider than the terminal; the bar goes first, then the end', () => {
  const state = { stage: 'render', stageElapsed: 9, frames: HALF_WAY } as const;
  for (let columns = 1; columns <= 120; columns++) {
    const line = renderProgress(state, columns);
    assert.ok(line.length < columns, `${line.length} of ${columns}`);
  }
  assert.equal(renderProgress(state, 60), 'Rendering  49 %  32/80 frames  3.8 frames/s  13 s left');
  assert.equal(renderProgress(state, 40), 'Rendering  49 %  32/80 frames');
});

/** A stream that keeps what is written. */
function recorder(isTTY: boolean) {
  const writes: string[] = [];
  return { writes, isTTY, columns: 80, write: (text: string) => writes.push(text) };
}

test('on a terminal a line is replaced in one write, and gone after close', () => {
  const stream = recorder(true);
  const display = createProgressDisplay(stream, { now: () => 0 });
  display.update({ type: 'stage', stage: 'prepare' });
  display.update({ type: 'notice', message: 'two faces' });
  display.close();
  display.close();
  assert.deepEqual(stream.writes, [
    '\rReading inputs…\x1b[K',
    '\r\x1b[J',
    'lcm-portrait: note: two faces\n',
    '\rReading inputs…\x1b[K',
    '\r\x1b[J',
  ]);
});

test('an unchanged line is not written again', () => {
  const stream = recorder(true);
  const display = createProgressDisplay(stream, { now: () => 0 });
  display.update({ type: 'stage', stage: 'prepare' });
  display.update({ type: 'stage', stage: 'prepare' });
  assert.equal(stream.writes.length, 1);
  display.close();
});

test('elsewhere there are whole lines: stages, tenths, notes', () => {
  for (const [isTTY, dumb] of [
    [false, false],
    [true, true],
  ] as const) {
    const stream = recorder(isTTY);
    const display = createProgressDisplay(stream, { dumb });
    display.update({ type: 'stage', stage: 'render' });
    for (let step = 0; step <= 40; step++) {
      display.update(frames(step * 2, step, { framesPerSecond: 3, remaining: (40 - step) / 2 }));
    }
    display.update({ type: 'notice', message: 'done' });
    display.close();
    assert.equal(stream.writes.length, 12);
    assert.equal(stream.writes[0], 'lcm-portrait: Rendering\n');
    assert.equal(stream.writes[1], 'lcm-portrait: Rendering: 10 %, 8/80 frames, 3.0 frames/s, 18 s left\n');
    assert.match(stream.writes[10]!, /100 %, 80\/80 frames/);
    assert.equal(stream.writes[11], 'lcm-portrait: note: done\n');
  }
});

test('a quiet display writes nothing', () => {
  const stream = recorder(true);
  const display = createProgressDisplay(stream, { quiet: true });
  display.update({ type: 'stage', stage: 'render' });
  display.update({ type: 'notice', message: 'two faces' });
  display.close();
  assert.deepEqual(stream.writes, []);
});
