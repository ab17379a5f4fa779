import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { collectGarbage } from '../../src/runtime/collect-garbage.ts';
import { moduleUrl } from '../helpers/run-program.ts';

test('arrays that nobody uses are freed, and the function is not left behind', {
  timeout: 120_000,
}, async () => {
  const array = unusedArray();
  // Whatever else there was before may be gone by now: so large an array may have made the engine collect.
  const with64 = process.memoryUsage().arrayBuffers;
  assert.ok(with64 >= 64e6);
  // A weak reference holds its target until the job ends in which it was made.
  await setImmediate();
  collectGarbage();
  assert.equal(array.deref(), undefined);
  // The memory itself is given back by a thread of the engine, a moment after the collection.
  while (process.memoryUsage().arrayBuffers > with64 - 32e6) await setTimeout(5);
  assert.equal('gc' in globalThis, false);
});

test('threads that look for the function at the same moment do not take it from each other', {
  timeout: 120_000,
}, async () => {
  const other = new Worker(
    "const { setFlagsFromString } = require('node:v8'); for (;;) setFlagsFromString('--no-expose-gc');",
    { eval: true },
  );
  try {
    await once(other, 'online');
    for (let thread = 0; thread < 40; thread++) {
      const module = (await import(`${moduleUrl('src/runtime/collect-garbage.ts')}?${thread}`)) as {
        collectGarbage(): void;
      };
      module.collectGarbage();
    }
  } finally {
    await other.terminate();
  }
});

/** An array of 64 MB, made in a function of its own so that no register of the test holds it. */
function unusedArray(): WeakRef<Uint8Array> {
  return new WeakRef(new Uint8Array(64e6));
}
