import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isPartialName } from '../../src/files/partial-name.ts';
import { Board, type OrderWork, orderFolder } from '../../src/serve/board.ts';
import { DataFolder } from '../../src/serve/data-folder.ts';
import type { Order } from '../../src/serve/order.ts';
import type { ServeEvent } from '../../src/serve/serve-event.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'lcm-portrait-board-'));
after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

test('an order that is removed while it is written leaves nothing, and no complaint', {
  timeout: 600_000,
}, async () => {
  const data = await DataFolder.open(folder);
  const work: OrderWork<Order> = {
    run: async (order, { finish }) => {
      await finish(order, 'succeeded');
      return 'done';
    },
    ended: async () => {},
    removed: async () => {},
  };
  const events: ServeEvent[] = [];
  const board = await Board.open({
    data,
    clipWork: work,
    comparisonWork: work,
    ordersPerClient: 9,
    diskFullMs: 1,
    onEvent: (event) => events.push(event),
    onEnded: () => {},
  });
  for (let i = 0; i < 10; i++) {
    const order = await board.create('clip', { options: {}, files: [] }, { client: 'test' });
    const place = orderFolder(data, order);
    while (!order.hasEnded) await nextTurn();
    const noted = board.note(order, 'delivered');
    // Writing takes several turns of this loop: none is missed.
    while (!readdirSync(place).some(isPartialName)) await nextTurn();
    await board.remove(order);
    await noted;
    assert.ok(!existsSync(place));
  }
  await board.stop(0, AbortSignal.abort());
  assert.deepEqual(readdirSync(data.clips), []);
  assert.deepEqual(
    events.filter(({ type }) => type === 'notice'),
    [],
  );
  data.release();
});
