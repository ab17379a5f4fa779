import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ClipScheduler, type ClipTurn } from '../../src/pipeline/clip-scheduler.ts';

/** Asks for a turn of each clip, and tells which of them have got it. */
function ask(scheduler: ClipScheduler, ...names: string[]) {
  const turns = new Map<string, ClipTurn>();
  for (const name of names) void scheduler.acquire().then((turn) => turns.set(name, turn));
  return turns;
}

test('two clips hold networks, one denoises, and a third gets its last frames', {
  timeout: 120_000,
}, async () => {
  const scheduler = new ClipScheduler();
  const turns = ask(scheduler, 'a', 'b', 'c', 'd');
  await nextTurn();
  assert.deepEqual([...turns.keys()], ['a', 'b']);

  const denoised: string[] = [];
  for (const [name, turn] of turns) void turn.acquireDenoiser().then(() => denoised.push(name));
  await nextTurn();
  assert.deepEqual(denoised, ['a']);

  turns.get('a')!.releaseDenoiser(); // its last frames are still encoded
  await nextTurn();
  assert.deepEqual(
    [denoised, [...turns.keys()]],
    [
      ['a', 'b'],
      ['a', 'b', 'c'],
    ],
  );

  turns.get('b')!.releaseDenoiser();
  await nextTurn();
  assert.equal(turns.size, 3, 'a, b and c are not complete yet');
  turns.get('a')!.release();
  turns.get('a')!.release();
  await nextTurn();
  assert.deepEqual([...turns.keys()], ['a', 'b', 'c', 'd']);
});

test('what is given back twice is given back once', { timeout: 120_000 }, async () => {
  const scheduler = new ClipScheduler();
  const turns = ask(scheduler, 'a', 'b', 'c');
  await nextTurn();
  await turns.get('a')!.acquireDenoiser();
  const denoised: string[] = [];
  void turns
    .get('b')!
    .acquireDenoiser()
    .then(() => denoised.push('b'));
  turns.get('a')!.releaseDenoiser();
  turns.get('a')!.release();
  await nextTurn();
  assert.deepEqual([denoised, turns.has('c')], [['b'], true]);
  void turns
    .get('c')!
    .acquireDenoiser()
    .then(() => denoised.push('c'));
  turns.get('a')!.releaseDenoiser();
  await nextTurn();
  assert.deepEqual(denoised, ['b'], 'b still denoises');
});

test('a clip that is stopped while it waits leaves its place to the next', { timeout: 120_000 }, async () => {
  const scheduler = new ClipScheduler();
  const turns = ask(scheduler, 'a', 'b');
  const stop = new AbortController();
  const reason = new Error('enough');
  const stopped = scheduler.acquire(stop.signal);
  const after = ask(scheduler, 'd');
  stop.abort(reason);
  await assert.rejects(stopped, (error) => error === reason);
  await assert.rejects(scheduler.acquire(stop.signal), (error) => error === reason);
  await nextTurn();
  await turns.get('a')!.acquireDenoiser();
  const waiting = turns.get('b')!.acquireDenoiser(stop.signal);
  await assert.rejects(waiting, (error) => error === reason);
  assert.equal(after.size, 0);
  turns.get('a')!.release();
  await nextTurn();
  assert.equal(after.size, 1);
  await after.get('d')!.acquireDenoiser();
});

test('a clip that needs the memory for itself waits for all others, and lets none begin', {
  timeout: 120_000,
}, async () => {
  const scheduler = new ClipScheduler();
  const turns = ask(scheduler, 'a');
  await nextTurn();
  const abort = new AbortController();
  const alone: ClipTurn[] = [];
  let abandoned = false;
  void scheduler.acquire(undefined, { alone: true }).then((turn) => alone.push(turn));
  void scheduler.acquire(abort.signal, { alone: true }).catch(() => {
    abandoned = true;
  });
  const later = ask(scheduler, 'b', 'c');
  await nextTurn();
  assert.equal(alone.length, 0);
  turns.get('a')!.release();
  await nextTurn();
  assert.equal(alone.length, 1);
  alone[0]!.releaseDenoiser();
  await nextTurn();
  assert.equal(later.size, 0, 'its frames are still decoded');
  alone[0]!.release();
  alone[0]!.release();
  abort.abort(new Error('enough'));
  await nextTurn();
  assert.deepEqual([abandoned, [...later.keys()]], [true, ['b', 'c']]);
});
