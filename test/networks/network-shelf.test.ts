import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NetworkShelf } from '../../src/networks/network-shelf.ts';
import type { Network } from '../../src/runtime/engine.ts';

/** A shelf with networks that write down what becomes of them, and the most bytes that were open at once. */
function shelfOf(budget: number) {
  const calls: string[] = [];
  const shelf = new NetworkShelf(budget);
  let open = 0;
  const state = { most: 0 };
  const place = (name: string, stage: string, bytes: number) =>
    shelf.place({
      stage,
      bytes,
      open: async () => {
        calls.push(`open ${name}`);
        await nextTurn();
        open += bytes;
        state.most = Math.max(state.most, open);
        const dispose = async (): Promise<void> => {
          calls.push(`close ${name}`);
          await nextTurn();
          open -= bytes;
        };
        return { name, dispose } as unknown as Network;
      },
    });
  return { shelf, calls, place, state };
}

const run = async (network: Network): Promise<string> => network.name;

test('a network is opened once, and closed before one of another stage is opened', async () => {
  const { calls, place, state } = shelfOf(100);
  const reference = place('reference', 'a', 40);
  const denoiser = place('denoiser', 'b', 60);
  const guider = place('guider', 'b', 30);
  assert.deepEqual(calls, []);
  assert.deepEqual([await reference.use(run), await reference.use(run)], ['reference', 'reference']);
  await denoiser.use(run);
  await guider.use(run);
  await denoiser.use(run);
  assert.deepEqual(calls, ['open reference', 'close reference', 'open denoiser', 'open guider']);
  assert.equal(state.most, 90);
  await denoiser.clear();
  await guider.clear();
  await guider.clear();
  assert.deepEqual(calls.slice(4), ['close denoiser', 'close guider']);
});

test('within a stage, what was not used for longest goes where the room is needed', async () => {
  const { calls, place, state } = shelfOf(100);
  const [a, b, c] = [place('a', 's', 40), place('b', 's', 40), place('c', 's', 40)];
  for (const each of [a, b, a, c, b]) await each.use(run);
  assert.deepEqual(calls, ['open a', 'open b', 'close b', 'open c', 'close a', 'open b']);
  assert.equal(state.most, 80);
});

test('what is larger than the room is opened alone', async () => {
  const { calls, place, state } = shelfOf(10);
  const [a, b] = [place('a', 's', 40), place('b', 's', 50)];
  for (const each of [a, b, a]) await each.use(run);
  assert.deepEqual(calls, ['open a', 'close a', 'open b', 'close b', 'open a']);
  assert.equal(state.most, 50);
});

test('a network that is in use stays, and uses at the same time open it once', async () => {
  const { calls, place } = shelfOf(10);
  const [a, b] = [place('a', 'one', 40), place('b', 'two', 50)];
  let end = (): void => {};
  const busy = a.use(
    (network) =>
      new Promise<string>((resolve) => {
        end = () => resolve(network.name);
      }),
  );
  const again = a.use(run);
  await again;
  await b.use(run);
  assert.deepEqual(calls, ['open a', 'open b']);
  end();
  assert.equal(await busy, 'a');
  await b.use(run);
  assert.deepEqual(calls, ['open a', 'open b'], 'nothing is closed until the room is needed');
  await a.use(run);
  await b.clear();
  await b.clear();
});

test('a network that cannot be opened is tried again, and others go on', async () => {
  const shelf = new NetworkShelf(10);
  let tries = 0;
  const place = shelf.place({
    stage: 's',
    bytes: 1,
    open: async () => {
      tries += 1;
      if (tries === 1) throw new Error('no memory');
      return { name: 'late', dispose: async () => {} } as unknown as Network;
    },
  });
  await assert.rejects(place.use(run), /no memory/);
  assert.equal(await place.use(run), 'late');
  await place.clear();
});
