import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { freeMemory } from '../../src/runtime/free-memory.ts';

const held = (): number => process.memoryUsage().arrayBuffers;

/** Whether memory is freed at once: it is from the moment on that the port's other end has closed. */
function freesAtOnce(): boolean {
  const probe = new Uint8Array(4e6);
  const with4 = held();
  freeMemory([probe]);
  return held() <= with4 - 3e6;
}

test('freed arrays are empty, and their memory is gone without a garbage collection', async () => {
  while (!freesAtOnce()) await setTimeout(5);
  const before = held();
  const arrays = Array.from({ length: 8 }, () => new Float32Array(1e6).fill(1));
  const view = arrays[0]!.subarray(5, 10);
  assert.ok(held() - before >= 32e6);
  freeMemory([...arrays, view]);
  assert.ok(held() - before < 4e6, `${held() - before} bytes are left`);
  for (const array of [...arrays, view]) assert.equal(array.length, 0);
  // Once more, and what threads share.
  freeMemory(arrays);
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7);
  freeMemory([shared]);
  assert.deepEqual([...shared], [7, 7, 7, 7]);
});
