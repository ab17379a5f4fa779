import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readAhead, readWhole } from '../../src/media/read-ahead.ts';

const LIMIT = { timeout: 120_000 };

interface Item {
  readonly value: number;
}

/** Items 0, 1, 2 … that tells how many were made and whether it was returned from; fails before item `failsAt`. */
function counted(count: number, failsAt?: number) {
  const seen = { made: 0, ended: false };
  async function* source(): AsyncGenerator<Item> {
    try {
      for (let value = 0; value < count; value++) {
        await nextTurn();
        if (value === failsAt) throw new Error('source');
        seen.made += 1;
        yield { value };
      }
    } finally {
      seen.ended = true;
    }
  }
  return { seen, source: source() };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

test('all items come in order, however slow reader and source are', LIMIT, async () => {
  for (const size of [1, 2, 100]) {
    for (const readerTurns of [0, 3]) {
      const { seen, source } = counted(9);
      const values: number[] = [];
      for await (const { value } of readAhead(source, { size })) {
        await turns(readerTurns);
        values.push(value);
      }
      assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
      assert.ok(seen.ended);
    }
  }
});

test('the source works ahead of the reader, and pauses when enough items wait', LIMIT, async () => {
  const { seen, source } = counted(20);
  const items = readAhead(source, { size: 3 });
  await items.next();
  await turns(30);
  assert.equal(seen.made, 4, 'one that was read, and three that wait');
  await items.next();
  await turns(30);
  assert.equal(seen.made, 5);
  await items.return();
  assert.ok(seen.ended);
});

test('what the source fails with comes before the items that wait', LIMIT, async () => {
  const { source } = counted(9, 3);
  const items = readAhead(source, { size: 9 });
  await items.next();
  await turns(30);
  await assert.rejects(items.next(), /source/);
  assert.ok((await items.next()).done);
});

test('a reader that stops ends the source, which has ended when the reader has', LIMIT, async () => {
  for (const size of [1, 4]) {
    const { seen, source } = counted(1000);
    let abandoned = 0;
    const onAbandoned = () => {
      abandoned += 1;
    };
    const reading = async () => {
      for await (const _ of readAhead(readAhead(source, { size, onAbandoned }), { size, onAbandoned })) {
        throw new Error('reader');
      }
    };
    await assert.rejects(reading(), /reader/);
    assert.ok(seen.ended);
    assert.ok(seen.made < 20);
    assert.equal(abandoned, 2);
  }
});

test('a reader that came to the end abandons nothing', LIMIT, async () => {
  for await (const _ of readAhead(counted(3).source, { size: 2, onAbandoned: () => assert.fail() }));
});

test('what is read whole comes when the source has ended, in order', { timeout: 120_000 }, async () => {
  const made: number[] = [];
  async function* source() {
    for (let item = 0; item < 3; item++) {
      made.push(item);
      yield { item };
    }
  }
  const seen: number[] = [];
  for await (const { item } of readWhole(source())) {
    assert.deepEqual(made, [0, 1, 2]);
    seen.push(item);
  }
  assert.deepEqual(seen, [0, 1, 2]);
});
