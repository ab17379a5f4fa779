import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { collectGarbage } from '../../src/runtime/collect-garbage.ts';

test('arrays that nobody uses are freed, and the function is not left behind', {
  timeout: 120_000,
}, async () => {
  const before = process.memoryUsage().arrayBuffers;
  const array = unusedArray();
  assert.ok(process.memoryUsage().arrayBuffers >= before + 64e6);
  // A weak reference holds its target until the job ends in which it was made.
  await setImmediate();
  collectGarbage();
  assert.equal(array.deref(), undefined);
  // The memory itself is given back by a thread of the engine, a moment after the collection.
  while (process.memoryUsage().arrayBuffers >= before + 32e6) await setTimeout(5);
  assert.equal('gc' in globalThis, false);
});

/** An array of 64 MB, made in a function of its own so that no register of the test holds it. */
function unusedArray(): WeakRef<Uint8Array> {
  return new WeakRef(new Uint8Array(64e6));
}
