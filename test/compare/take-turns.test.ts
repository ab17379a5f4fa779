import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { takeTurns } from '../../src/compare/take-turns.ts';

test('turns go round, one piece of work at a time, and leave out who has ended', async () => {
  const log: string[] = [];
  let busy = 0;
  const worker = (name: string, turns: number) => async (pass: () => Promise<void>) => {
    for (let i = 0; i < turns; i++) {
      busy += 1;
      assert.equal(busy, 1);
      await nextTurn();
      log.push(`${name}${i}`);
      busy -= 1;
      if (i < turns - 1) await pass();
    }
  };
  const results = await takeTurns([worker('a', 3), worker('b', 1), worker('c', 2)]);
  assert.deepEqual(log, ['a0', 'b0', 'c0', 'a1', 'c1', 'a2']);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled'],
  );
});

test('a failure ends the others at their next turn; who had ended keeps its result', async () => {
  const log: string[] = [];
  const results = await takeTurns([
    async () => void log.push('done'),
    async (pass) => {
      await pass();
      throw new Error('broken');
    },
    async (pass) => {
      await pass();
      log.push('never');
    },
  ]);
  assert.deepEqual(log, ['done']);
  assert.deepEqual(
    results.map((result) => (result.status === 'rejected' ? result.reason.message : result.status)),
    ['fulfilled', 'broken', 'broken'],
  );
});

test('nobody at all is fine, and one alone passes to itself', async () => {
  assert.deepEqual(await takeTurns([]), []);
  let turns = 0;
  await takeTurns([
    async (pass) => {
      for (; turns < 3; turns++) await pass();
    },
  ]);
  assert.equal(turns, 3);
});
