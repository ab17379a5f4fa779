import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FirstShown } from '../../src/pipeline/first-shown.ts';

const isOver = async (waiting: Promise<void>): Promise<boolean> =>
  Promise.race([waiting.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);

test('the first frames are waited for until they are encoded, where what is there is enough', async () => {
  const first = new FirstShown(3, new AbortController().signal);
  const waiting = first.until(4);
  for (const over of [false, false, true]) {
    first.frameDone();
    assert.equal(await isOver(waiting), over);
  }
  assert.ok(await isOver(new FirstShown(3, new AbortController().signal).until(2)));
});

test('nobody waits for frames of a clip that has been stopped, before or meanwhile', async () => {
  const stop = new AbortController();
  const waiting = new FirstShown(3, stop.signal).until(3);
  assert.ok(!(await isOver(waiting)));
  stop.abort();
  assert.ok(await isOver(waiting));
  assert.ok(await isOver(new FirstShown(3, stop.signal).until(3)));
});
