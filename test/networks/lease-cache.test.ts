import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseCache } from '../../src/networks/lease-cache.ts';

const LIMIT = { timeout: 120_000 };
const reason = new Error('enough');
const isReason = (error: unknown) => error === reason;

/** A cache of names, that tells what was opened and disposed of; what is opened waits for {@link counted.finish}. */
function counted(maxIdle = 1) {
  const opened: string[] = [];
  const disposed: string[] = [];
  const waiting: (() => void)[] = [];
  const cache = new LeaseCache<string>({
    maxIdle,
    dispose: async (value) => {
      disposed.push(value);
    },
  });
  const acquire = (key: string, signal?: AbortSignal) =>
    cache.acquire(
      key,
      (abandoned) => {
        opened.push(key);
        return new Promise((resolve) => {
          waiting.push(() => resolve(abandoned.aborted ? `${key}, abandoned` : key));
        });
      },
      signal,
    );
  const finish = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  /** A lease of what opens at once. */
  const acquired = (key: string) => {
    const lease = acquire(key);
    finish();
    return lease;
  };
  return { cache, opened, disposed, acquire, acquired, finish };
}

test('those who ask for the same at the same time share one', LIMIT, async () => {
  const { opened, acquire, finish, disposed } = counted();
  const asked = [acquire('a'), acquire('a'), acquire('b')];
  finish();
  const leases = await Promise.all(asked);
  assert.deepEqual(opened, ['a', 'b']);
  assert.deepEqual(
    leases.map(({ value }) => value),
    ['a', 'a', 'b'],
  );
  assert.deepEqual(disposed, []);
});

test('what nobody uses is kept for the next, and goes when others come', LIMIT, async () => {
  const { opened, acquired, disposed } = counted();
  for (const key of ['a', 'a', 'b', 'c']) {
    const lease = await acquired(key);
    await lease.release();
    await lease.release();
  }
  assert.deepEqual(
    [opened, disposed],
    [
      ['a', 'b', 'c'],
      ['a', 'b'],
    ],
  );
  const held = await acquired('c');
  await (await acquired('d')).release();
  await (await acquired('e')).release();
  assert.deepEqual(disposed, ['a', 'b', 'd'], 'what is in use stays');
  await held.release();
  assert.deepEqual(disposed, ['a', 'b', 'd', 'c'], 'it was used before e');
});

test('what is opened for somebody who was stopped meanwhile is disposed of', LIMIT, async () => {
  const { acquire, finish, disposed, acquired, opened, cache } = counted();
  const stop = new AbortController();
  const stopped = acquire('a', stop.signal);
  stop.abort(reason);
  assert.ok(cache.isEmpty, 'nobody else gets it');
  finish();
  await assert.rejects(stopped, isReason);
  assert.deepEqual(disposed, ['a, abandoned']);
  assert.equal((await acquired('a')).value, 'a');
  assert.deepEqual(opened, ['a', 'a']);
});

test('an abort when it has been opened already, but not yet handed over, leaks nothing', LIMIT, async () => {
  const { acquire, finish, disposed, cache } = counted();
  const stop = new AbortController();
  const stopped = acquire('a', stop.signal);
  finish(); // the opener no longer looks at its signal
  stop.abort(reason);
  await assert.rejects(stopped, isReason);
  assert.deepEqual(disposed, ['a']);
  assert.ok(cache.isEmpty);
});

test('one of two who wait is stopped: the other gets it', LIMIT, async () => {
  const { acquire, finish, disposed, opened } = counted();
  const stop = new AbortController();
  const stopped = acquire('a', stop.signal);
  const other = acquire('a');
  stop.abort(reason);
  finish();
  await assert.rejects(stopped, isReason);
  assert.equal((await other).value, 'a');
  assert.deepEqual([opened, disposed], [['a'], []]);
});

test('what cannot be opened is opened again for the next', LIMIT, async () => {
  const { cache, acquired } = counted();
  const failing = cache.acquire('a', () => Promise.reject(new Error('damaged')));
  await assert.rejects(failing, /damaged/);
  assert.equal((await acquired('a')).value, 'a');
});
