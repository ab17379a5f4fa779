import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedTurns } from '../../src/jobs/shared-turns.ts';

/** Notes what begins and ends, and ends when asked. */
function stage() {
  const log: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const act = (name: string) => async () => {
    log.push(`${name} begins`);
    await new Promise<void>((resolve, reject) =>
      ends.set(name, (error) => (error ? reject(error) : resolve())),
    );
    log.push(`${name} ends`);
    return name;
  };
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { log, act, settled, end: (name: string, error?: Error) => ends.get(name)!(error) };
}

test('those who come together work together, one alone waits for them, and nobody passes it', async () => {
  const turns = new SharedTurns();
  const { log, act, settled, end } = stage();
  const all = [
    turns.together(act('a')),
    turns.together(act('b')),
    turns.alone(act('c')),
    turns.together(act('d')),
    turns.alone(act('e')),
  ];
  await settled();
  assert.deepEqual(log, ['a begins', 'b begins']);
  end('a');
  await settled();
  assert.deepEqual(log.slice(2), ['a ends']);
  for (const name of ['b', 'c', 'd', 'e']) {
    end(name);
    await settled();
  }
  assert.deepEqual(log.slice(3), [
    ...['b ends', 'c begins', 'c ends', 'd begins', 'd ends', 'e begins', 'e ends'],
  ]);
  assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd', 'e']);
});

test('what fails gives its turn back', async () => {
  const turns = new SharedTurns();
  await assert.rejects(
    turns.alone(() => Promise.reject(new Error('no'))),
    /no/,
  );
  await assert.rejects(
    turns.together(() => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(await turns.alone(async () => 1), 1);
  assert.equal(await turns.together(async () => 2), 2);
});
